package printable

import (
	"bytes"
	"testing"
)

// TestEscapesDoNotReachTerminals cleans text that a sidecar chose.
func TestEscapesDoNotReachTerminals(t *testing.T) {
	for text, want := range map[string]string{
		"no such filter":             "no such filter",
		"two\nlines\tand a tab":      "two\nlines\tand a tab",
		"Müller, 東京":                 "Müller, 東京",
		"\x1b[2J\x1b[31mall is well": " [2J [31mall is well",
		"title \x1b]0;owned\x07":     "title  ]0;owned ",
		"C1 \u009b31m":               "C1  31m",
		"over\rwritten\b":            "over written ",
		"right \u202eto left":        "right  to left",
		"NUL \x00":                   "NUL  ",
	} {
		if got := Text(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
		out := &bytes.Buffer{}
		n, err := Writer{out}.Write([]byte(text))
		if err != nil || n != len(text) || out.String() != want {
			t.Errorf("%q is written as %q (%d, %v), want %q", text, out, n, err, want)
		}
	}
	if got := Line("two\nlines\tand \x1b[31m"); got != "two lines and  [31m" {
		t.Errorf("a line becomes %q", got)
	}
	if got := Text("not UTF-8 \xff"); got != "not UTF-8 \ufffd" {
		t.Errorf("invalid bytes become %q", got)
	}
}
