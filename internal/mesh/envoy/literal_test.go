package envoy

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestLiteral(t *testing.T) {
	for expression, want := range map[string]struct {
		text       string
		prefix, ok bool
	}{
		"":                  {"", false, true},
		"/books":            {"/books", false, true},
		"/books/.*":         {"/books/", true, true},
		".*":                {"", true, true},
		"^/books$":          {"/books", false, true},
		"^/books.*$":        {"/books", true, true},
		`/v1\.2/a\+b`:       {"/v1.2/a+b", false, true},
		`/a\$`:              {"/a$", false, true},
		`/a\.*`:             {},
		"/books/.+":         {},
		"/books(/.*)?":      {},
		"/books/.*/chapter": {},
		"/books|/authors":   {},
		"(?i)/books":        {},
		"/[a]":              {},
		"/a{2}":             {},
		`/\d`:               {},
		`/\Qa.b\E`:          {},
		`/\x41`:             {},
		`/a\`:               {},
		"/b\u00fccher":      {},
		"^*":                {},
		"a$b":               {},
		"a^b":               {},
	} {
		if text, prefix, ok := literal(expression); text != want.text || prefix != want.prefix || ok != want.ok {
			t.Errorf("%q is %q, prefix %v, literal %v, want %+v", expression, text, prefix, ok, want)
		}
	}
}

// TestLiteralMatchesWhatTheExpressionMatches compares both for expressions of pieces that can be told apart, and values that are near them.
func TestLiteralMatchesWhatTheExpressionMatches(t *testing.T) {
	piece := rapid.SampledFrom([]string{"/", "a", "B", "b", "-", "_", "~", "%2F", "%", ";", "=", ",", " ", "\"", `\.`, `\+`, `\*`, `\$`, `\^`, `\\`, `\/`, `\-`, `\?`, `\{`, ".", "*", "?", "+", "$", "^", "(a)", "|", "{2}", "[a]", `\d`, `\b`})
	character := rapid.SampledFrom([]string{"/", "a", "b", "B", "A", "-", "_", "~", "%2F", "%", ";", "=", ",", " ", "\"", ".", "+", "*", "$", "^", `\`, "?", "{", "2", "\t", "\u00ff"})
	literals := 0
	rapid.Check(t, func(t *rapid.T) {
		expression := rapid.SampledFrom([]string{"", "", "^"}).Draw(t, "start") + strings.Join(rapid.SliceOfN(piece, 0, 4).Draw(t, "pieces"), "") +
			rapid.SampledFrom([]string{"", "", ".*", "$", ".*$"}).Draw(t, "end")
		whole, err := regexp.Compile(`\A(?:` + expression + `)\z`)
		if err != nil {
			return
		}
		text, prefix, ok := literal(expression)
		if !ok {
			return
		}
		literals++
		random := strings.Join(rapid.SliceOfN(character, 0, 6).Draw(t, "value"), "")
		for _, value := range []string{text, text + random, random + text, strings.ToUpper(text), strings.TrimSuffix(text, "/"), random} {
			got := value == text || prefix && strings.HasPrefix(value, text)
			if want := whole.MatchString(value); got != want {
				t.Fatalf("%q matches %q: %v, the text %q (prefix %v) matches it: %v", expression, value, want, text, prefix, got)
			}
		}
	})
	if literals == 0 {
		t.Error("no expression was a text")
	}
}
