package current

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestConfirmNeedsConsent(t *testing.T) {
	for name, tt := range map[string]struct {
		answer        string
		terminal, yes bool
		want          error
	}{
		"y":                           {answer: "y\n", terminal: true},
		"yes in capitals":             {answer: " YES \n", terminal: true},
		"y without a line end":        {answer: "y", terminal: true},
		"n":                           {answer: "n\n", terminal: true, want: ErrDeclined},
		"empty":                       {answer: "\n", terminal: true, want: ErrDeclined},
		"end of input":                {answer: "", terminal: true, want: ErrDeclined},
		"something else":              {answer: "yesterday\n", terminal: true, want: ErrDeclined},
		"no terminal":                 {answer: "y\n", want: ErrNoTerminal},
		"the flag without a terminal": {yes: true},
		"the flag is not asked again": {answer: "n\n", terminal: true, yes: true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Confirm(strings.NewReader(tt.answer), io.Discard, tt.terminal, tt.yes); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}
