package ingest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// headerList returns a number of headers as a list in YAML, whose names have a length.
func headerList(number, length int) string {
	var all []string
	for i := range number {
		all = append(all, fmt.Sprintf("{h%02d%s: a}", i, strings.Repeat("x", length-3)))
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// TestHeadersOfAMatchAreBounded checks the number of headers of a match and the length of their names: etcd would store 25,000 headers in one match,
// and each is an expression in each route. A match beyond the bound is not used.
func TestHeadersOfAMatchAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		headers string
		usable  bool
		problem string
	}{
		"as many as fit":         {headerList(maxHeaders, 3), true, ""},
		"one too many":           {headerList(maxHeaders+1, 3), false, "InvalidHeader: spec.matches[0].headers has 17 headers, and the match is not used: use at most 16, or several matches"},
		"one too many in a map":  {strings.NewReplacer("{", "", "}", "", "[", "{", "]", "}").Replace(headerList(maxHeaders+1, 3)), false, "InvalidHeader: has 17 headers"},
		"the longest name":       {headerList(1, MaxHeaderName), true, ""},
		"a name that is longer":  {headerList(1, MaxHeaderName+1), false, "InvalidHeader: it has 129 characters: use at most 128"},
		"too many, none of them": {"[" + strings.Repeat("a, ", maxHeaders) + "a]", false, "InvalidHeader: has 17 headers"},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := HTTPRouteGroup(smi(t, "matches: [{name: m, headers: "+c.headers+"}]"))
			var want []string
			if c.problem != "" {
				want = []string{c.problem}
			}
			expect(t, c.usable, len(got.Matches) == 1, want, problems)
		})
	}
}

// TestMethodsOfAMatchAreBounded checks the length of methods, which become one expression. Definitions of others may have no schema for them.
func TestMethodsOfAMatchAreBounded(t *testing.T) {
	for methods, usable := range map[string]bool{
		"GET, POST": true, "GET, GET" + strings.Repeat(", GET", 100): true,
		"GET, " + strings.Repeat("X", maxMethods-4): true, "GET, " + strings.Repeat("X", maxMethods-3): false,
	} {
		got, problems := HTTPRouteGroup(smi(t, "matches: [{name: m, methods: ["+methods+"]}]"))
		rejected := slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning && strings.Contains(p.Message, "more than 256 characters") })
		if (len(got.Matches) == 1) != usable || rejected == usable {
			t.Errorf("methods of %d characters are used: %t, want %t; problems: %v", len(methods), !usable, usable, problems)
		}
	}
}
