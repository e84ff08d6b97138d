// Package report defines the reports of the test tools, for the tools that write them and the tests that read them.
//
// Input: observations of clients. Output: JSON.
package report
