package ingest

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"testing"
	"time"
)

// TestRegexSizeMatchesEnvoy compares estimates with the RE2 program sizes that Envoy 1.40 reports.
func TestRegexSizeMatchesEnvoy(t *testing.T) {
	for expression, envoy := range map[string]int{
		"/books": 10, "/books/.*": 13, "/api/v[0-9]+/[a-z]{1,20}/.*": 55, "(?i)hello": 9, "[a-zA-Z0-9_-]{36}": 148,
		`\w+@\w+\.com`: 17, "(abc|abd|xyz)": 12, "(.{10}){10}": 224, `\d{100}`: 104, ".{1,255}": 768, ".{300}": 604,
		"((a{10}){10}){9}": 1102, `(\w|\w|.){50}`: 404, `[[:alpha:]]\W(\S|\w|\w)`: 20, "(?:(?:a)+(?:[a-cx-z_])?){1,30}": 242,
		`(?:(?:/api(?i:ab)){3,}){3,}`: 63, `(x|x|[^/])\w`: 13,
	} {
		parsed, err := syntax.Parse(expression, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if got := regexSize(expression, parsed); got < envoy || float64(got) > 3*float64(envoy) {
			t.Errorf("%s: estimated %d, Envoy reports %d", expression, got, envoy)
		}
	}
}

func TestThreat13Regexes(t *testing.T) {
	for name, c := range map[string]struct{ expression, want string }{
		"usual":                  {`/api/v[0-9]+/books/[^/]+`, ""},
		"empty":                  {"", ""},
		"UUID":                   {"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", ""},
		"catastrophic elsewhere": {"(a+)+b", ""}, // RE2 is linear in the input
		"invalid":                {"/books/(", "missing closing )"},
		"lookahead, not in RE2":  {"(?!admin).*", "it is not a regular expression of RE2"},
		"back reference":         {`(a)\1`, "it is not a regular expression of RE2"},
		"too long":               {strings.Repeat("a", 1025), "it has 1025 characters: use at most 1024"},
		"too large":              {"((a{10}){10}){9}", "it compiles to about"},
		"large repetition":       {"(.{1,999}|b){1}", "it compiles to about"},
		"repetition beyond RE2":  {"a{1001}", "invalid repeat count"},
		"nested repetitions":     {strings.Repeat("(", 50) + "a{1000}" + strings.Repeat("){1000}", 50), "invalid repeat count"},
		"deep":                   {strings.Repeat("(", 500) + "a" + strings.Repeat(")", 500), "it compiles to about"},
		"byte by number":         {`\x{ff}\xff\377`, ""},
		"code point":             {`a[\x{100}]`, `it has \x{100}, which is more than one byte`},
		"code point in octal":    {`\777`, `it has \777`},
		"escaped backslash":      {`\\x{100}`, ""},
		"not ASCII":              {"/café/[é]", `after "/caf"`},
		"zero byte":              {"a\x00", "not ASCII"},
		"not UTF-8":              {"a\xff", "not ASCII"},
		"not ASCII at first":     {"é", "not ASCII"},
		"last of ASCII":          {"a\x7f", ""},
		"longest":                {"[" + strings.Repeat("a", 1022) + "]", ""},
		"largest":                {strings.Repeat("a", 846), ""},
		"larger":                 {strings.Repeat("a", 847), "it compiles to about 851 instructions"},
		"letters of Unicode":     {`\pL{40}`, ""},
		"last byte of a class":   {`[a\xff]{424}`, "it compiles to about 852 instructions"},
		"never repeated":         {"(" + strings.Repeat("a", 900) + "){0}", ""},
		"beyond 64 bits":         {`\x{fffffffffffffffff}`, "it is not a regular expression of RE2"},
	} {
		began := time.Now()
		err := CheckRegex(c.expression)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error is %v, want one with %q", name, err, c.want)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
	}
}

// A message has the beginning of a long expression only.
func TestLongExpressionsAreCut(t *testing.T) {
	for _, expression := range []string{"/a(" + strings.Repeat("b", 900), strings.Repeat("b", 900) + "é"} {
		if err := CheckRegex(expression); err == nil || len(err.Error()) > 200 {
			t.Errorf("the error has %d bytes, want at most 200: %v", len(fmt.Sprint(err)), err)
		}
	}
}
