// Package words compares the words of this module with the table of CONTRIBUTING.md.
//
// The table, the source and the documentation flow in; nothing flows out but test failures. One meaning has one word, in names, comments, docs
// and messages, and it is the word of the field.
package words
