// Command tools is the client and the server in the pods of end-to-end tests. It serves HTTP and TCP, calls other
// servers and counts the responses. As an agent it does so on request of a test.
//
// Input: flags and traffic. Output: responses, and reports as JSON on standard output.
package main
