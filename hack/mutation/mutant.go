package main

import (
	"fmt"
	"strings"
)

// mutant is one change of the code.
type mutant struct {
	// id selects the mutant, from 1.
	id int
	// file is relative to the root of the checkout.
	file string
	line int
	// function is the surrounding function, text the code that changes, and change how it changes.
	function, text, change string
}

// key identifies the mutant in explained.yaml. It has no line number, so that it survives other edits of the file.
func (m mutant) key() string {
	return fmt.Sprintf("%s %s: %s %s", m.file, m.function, m.text, m.change)
}

// String is the mutant with its place.
func (m mutant) String() string {
	return fmt.Sprintf("%s:%d: %s: %s %s", m.file, m.line, m.function, m.text, m.change)
}

// abbreviate returns code in one line, and not all of a long one.
func abbreviate(code string) string {
	const longest = 100
	code = strings.Join(strings.Fields(code), " ")
	if len(code) > longest {
		return code[:longest] + "..."
	}
	return code
}
