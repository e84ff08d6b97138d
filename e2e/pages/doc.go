// Package pages tests the documentation end to end: it runs each page of docs/traffic, the command line walkthrough and the
// tutorial on the demo, and compares the output with the page.
//
// Pages flow in. Test failures flow out, with the page and the line.
package pages
