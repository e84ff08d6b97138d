// Command probe runs in the pods that test the local cluster. It is a web server and a replacement for a few shell
// tools.
//
// Input: `probe serve`, `probe get FAMILY URL`, `probe cat FILE`. Output: a server on port 8080, or the response or
// file on standard output.
package main
