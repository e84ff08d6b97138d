// Package pages holds the end-to-end tests of the documentation: each page of docs/traffic, and the walk through the command
// line, is followed as a reader would, on the demo, and what it shows is compared with what happens.
//
// Pages flow in; verdicts flow out, each with the page and line that is wrong.
package pages
