package printable

import (
	"bytes"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text replaces each character that is not printed by one space, except line breaks and tabs, and invalid UTF-8 by U+FFFD.
func Text(text string) string {
	return strings.Map(replace, strings.ToValidUTF8(text, string(utf8.RuneError)))
}

// Line is Text on one line: line breaks and tabs become spaces. Where texts of others are printed in lines or lists, a line break would add one of their
// choice.
func Line(text string) string {
	return strings.NewReplacer("\n", " ", "\t", " ").Replace(Text(text))
}

func replace(r rune) rune {
	if isUnprintable(r) {
		return ' '
	}
	return r
}

// isUnprintable reports control characters, such as those that start escape sequences, and those that change the direction of text.
func isUnprintable(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}

// Writer replaces the same characters as Text.
type Writer struct{ Inner io.Writer }

// Write implements io.Writer.
func (w Writer) Write(p []byte) (int, error) {
	clean := p
	if bytes.ContainsFunc(p, isUnprintable) {
		clean = bytes.Map(replace, p)
	}
	if _, err := w.Inner.Write(clean); err != nil {
		return 0, err
	}
	return len(p), nil
}
