// Package report holds what the test tools say about what they did, for the tools that write it and the tests that read it.
//
// Observations of clients flow in; JSON flows out.
package report
