// Package pages runs documentation pages as scripts.
//
// Markdown flows in. Steps flow out: each fenced sh block is a script that a reader can paste into a shell, and a text block
// directly below it is the expected output. All other blocks are only for reading.
package pages
