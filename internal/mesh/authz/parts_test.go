package authz

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestDecodeUnreserved checks every byte: RFC 3986 leaves letters, digits and four marks unreserved, in either case of the digits.
func TestDecodeUnreserved(t *testing.T) {
	const unreservedBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	for c := range 256 {
		decoded := false
		for i := range len(unreservedBytes) {
			decoded = decoded || unreservedBytes[i] == byte(c)
		}
		for _, encoded := range []string{fmt.Sprintf("%%%02x", c), fmt.Sprintf("%%%02X", c)} {
			want := encoded
			if decoded {
				want = string(rune(c))
			}
			if got := decodeUnreserved(encoded); got != want {
				t.Errorf("%s decodes to %q, want %q", encoded, got, want)
			}
		}
	}
	for _, invalid := range []string{"%4", "%", "%g1", "%4g", "%@1", "%`1", "%1:", "%G1"} {
		if got := decodeUnreserved(invalid); got != invalid {
			t.Errorf("%s, which encodes nothing, becomes %q", invalid, got)
		}
	}
}

// TestFullMatchOfBytes checks that a dot is one byte, also where only the value or only the expression has bytes that are not ASCII.
func TestFullMatchOfBytes(t *testing.T) {
	for _, test := range []struct {
		expression, value string
		want              bool
	}{
		{"a.", "a\xff", true},
		{"a.", "aé", false},
		{"a.", "a\u0080", false},
		{"a..", "aé", true},
		{"a.", "a\x80", true},
		{"(a", "a", false},
		{"(a", "(a", false},
		{"a|b", "ab", false},
	} {
		if got := fullMatch(test.expression, test.value); got != test.want {
			t.Errorf("%q matches %q: %t, want %t", test.expression, test.value, got, test.want)
		}
	}
	if got := bytesAsRunes("a\x80é"); got != "a\u0080Ã©" {
		t.Errorf("the bytes are the characters %q", got)
	}
}

// TestMatchKey checks that the key has every part of a match, and keeps the parts apart.
func TestMatchKey(t *testing.T) {
	header := func(name, regex string) catalog.HTTPMatch {
		return catalog.HTTPMatch{Headers: []catalog.HeaderMatch{{Name: name, Regex: regex}}}
	}
	matches := []catalog.HTTPMatch{
		{},
		{PathRegex: "a"},
		{Methods: []string{"a"}},
		{Methods: []string{"a", "b"}},
		{Methods: []string{"ab"}},
		header("a", "b"),
		header("b", "b"),
		header("a", "c"),
		{Headers: []catalog.HeaderMatch{{Name: "a", Regex: "b"}, {Name: "a", Regex: "b"}}},
		{PathRegex: `"a" "a"`},
	}
	keys := map[string]int{}
	for i, match := range matches {
		if other, taken := keys[matchKey(match)]; taken {
			t.Errorf("the matches %+v and %+v have the key %q", matches[other], match, matchKey(match))
		}
		keys[matchKey(match)] = i
	}
	want := "\"/a\" \"GET\" \"PUT\"\n\"x\"=\"y\""
	if got := matchKey(catalog.HTTPMatch{Name: "n", PathRegex: "/a", Methods: []string{"GET", "PUT"}, Headers: []catalog.HeaderMatch{{Name: "x", Regex: "y"}}}); got != want {
		t.Errorf("the key is %q, want %q", got, want)
	}
}

// TestRoutesAreOrderedByConditions checks the order of routes: more conditions first, then by their expressions.
func TestRoutesAreOrderedByConditions(t *testing.T) {
	headers := []catalog.HeaderMatch{{Name: "a", Regex: "b"}}
	group := &catalog.HTTPRouteGroup{Name: meshtest.Name("shop", "group"), Matches: []catalog.HTTPMatch{
		{Name: "all"},
		{Name: "every path", PathRegex: ".*"},
		{Name: "method", Methods: []string{"GET"}},
		{Name: "path", PathRegex: "/a"},
		{Name: "path and method", PathRegex: "/a", Methods: []string{"GET"}},
		{Name: "path, method and header", PathRegex: "/a", Methods: []string{"GET"}, Headers: headers},
		{Name: "header", Headers: headers},
	}}
	web := meshtest.SA("shop", "web")
	var targets []catalog.Entry
	for _, name := range []string{"z", "b", "a"} {
		targets = append(targets, meshtest.Target(name, web, []catalog.TargetRule{meshtest.HTTP("group"), meshtest.HTTP("group", "path")}, meshtest.SA("shop", "client")))
	}
	rules := InboundRules(meshtest.Apply(append(targets, group)...).View(), web, 80, inventory.ProtocolHTTP)
	var got []string
	for _, route := range rules.Routes {
		got = append(got, fmt.Sprintf("%d %s", specificity(route.Match), matchKey(route.Match)))
		if diff := cmp.Diff([]string{"shop/a", "shop/b", "shop/z"}, route.Policies); diff != "" {
			t.Errorf("policies of %s (-want +got):\n%s", matchKey(route.Match), diff)
		}
	}
	want := []string{
		"3 \"/a\" \"GET\"\n\"a\"=\"b\"", `2 "/a" "GET"`, `1 ""` + "\n" + `"a"="b"`, `1 "" "GET"`, `1 "/a"`, `0 ""`, `0 ".*"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
}

// TestTCPRouteWithoutPorts checks that all ports stay granted if another TCPRoute of the target names some.
func TestTCPRouteWithoutPorts(t *testing.T) {
	web, client := meshtest.SA("shop", "web"), meshtest.SA("shop", "client")
	v := meshtest.Apply(&catalog.TCPRoute{Name: meshtest.Name("shop", "any")}, &catalog.TCPRoute{Name: meshtest.Name("shop", "one"), Ports: []uint16{1}},
		meshtest.Target("t", web, []catalog.TargetRule{meshtest.TCP("any"), meshtest.TCP("one"), meshtest.HTTP("paths")}, client), meshtest.Group("shop", "paths", "/a")).View()
	if !MayConnect(v, client, web, 2, inventory.ProtocolTCP) {
		t.Error("the client may not connect to port 2, although a TCPRoute without ports grants all")
	}
	if rules := InboundRules(v, web, 2, inventory.ProtocolTCP); len(rules.Network) != 1 || len(rules.Routes) != 0 {
		t.Errorf("the rules of a TCP port are %+v, want one of the network and no route", rules)
	}
}

// TestAbsentHeader checks that an expression for every value does not match a request without the header.
func TestAbsentHeader(t *testing.T) {
	match := catalog.HTTPMatch{Headers: []catalog.HeaderMatch{{Name: "user", Regex: ".*"}}}
	for name, test := range map[string]struct {
		headers map[string]string
		want    bool
	}{"absent": {nil, false}, "empty": {map[string]string{"user": ""}, true}} {
		if got := (message{headers: test.headers}).matches(match); got != test.want {
			t.Errorf("a header that is %s matches .*: %t, want %t", name, got, test.want)
		}
	}
}

func TestVerdict_Always(t *testing.T) {
	v := Verdict{Answers: []Answer{{Outcome: Allowed}, {Outcome: Reset}}}
	if v.Always(Allowed) || !v.May(Allowed) || !v.May(Reset) || v.May(NotFound) {
		t.Errorf("%+v: always allowed %t, may be allowed %t, reset %t, not found %t; want false, true, true, false",
			v, v.Always(Allowed), v.May(Allowed), v.May(Reset), v.May(NotFound))
	}
}
