package translate

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

func TestRoutePath(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{"", "PathPrefix /"},
		{".*", "PathPrefix /"},
		{"/.*", "PathPrefix /"},
		{".+", "PathPrefix /"},
		{"(/.*)?", "PathPrefix /"},
		{"/buy", "Exact /buy"},
		{"^/buy$", "Exact /buy"},
		{`/buy\.html`, "Exact /buy.html"},
		{"/buy.html", "RegularExpression /buy.html"},
		{"(?i)/buy", "RegularExpression (?i)/buy"},
		{"/buy(/.*)?", "PathPrefix /buy"},
		{"/buy(?:/.*)?$", "PathPrefix /buy"},
		{"/buy(/.*|$)", "PathPrefix /buy"},
		{"/buy(|/.*)", "PathPrefix /buy"},
		{"/buy/.*", "RegularExpression /buy/.*"},
		{"/buy/(/.*)?", "RegularExpression /buy/(/.*)?"},
		{"/buy.*", "RegularExpression /buy.*"},
		{"/a|/b", "RegularExpression /a|/b"},
		{"/a//b", "RegularExpression /a//b"},
		{"/a b", "RegularExpression /a b"},
		{"buy", "RegularExpression buy"},
		{"/(", "RegularExpression /("},
	} {
		kind, value := routePath(c.expression)
		if got := kind + " " + value; got != c.want {
			t.Errorf("%q is %s, want %s", c.expression, got, c.want)
		}
	}
}

// TestPathsMatchTheSame compares the path of a route with its expression, and the expression for it.
func TestPathsMatchTheSame(t *testing.T) {
	part := rapid.SampledFrom([]string{"/a", "/b", "/", "a", ".*", "/.*", "(/.*)?", "(/.*|$)", "(|/.*)", "^", "$", "(", ")", "|", "?", `\.`, ".", "[ab]", "(?:/.*)?", "/+"})
	rapid.Check(t, func(t *rapid.T) {
		expression := ""
		for range rapid.IntRange(1, 5).Draw(t, "parts") {
			expression += part.Draw(t, "part")
		}
		kind, value := routePath(expression)
		m := catalog.RouteMatch{PathType: kind, Path: value}
		for range 20 {
			path := "/" + rapid.StringMatching(`[ab./]{0,6}`).Draw(t, "path")
			want := fullMatch(expression, path)
			if got := authz.MatchesPath(m, path); got != want {
				t.Fatalf("%q matches %s: %t, but %s %s: %t", expression, path, want, kind, value, got)
			}
			if back := authz.ExpressionsOf(m).PathRegex; back != "" && fullMatch(back, path) != want || back == "" && !want {
				t.Fatalf("%q matches %s: %t, but the expression %q does not", expression, path, want, back)
			}
		}
	})
}

// TestOrderedMatchesSelectTheFirstRule compares the most specific match with the first rule.
func TestOrderedMatchesSelectTheFirstRule(t *testing.T) {
	values := rapid.SampledFrom([]catalog.ValueMatch{{Name: "x", Value: "a"}, {Name: "x", Value: "a.*", Regex: true}, {Name: "y", Value: ".*", Regex: true}, {Name: "x", Value: "b"}})
	paths := rapid.SampledFrom([]string{"", "", "/a", "/a(/.*)?", "/a/b(/.*)?", "/a/.*", "/[ab]", "/b"})
	rapid.Check(t, func(t *rapid.T) {
		var list []prioritized
		for i := range rapid.IntRange(2, 6).Draw(t, "matches") {
			m := catalog.RouteMatch{Method: rapid.SampledFrom([]string{"", "", "GET", "PUT"}).Draw(t, "method")}
			m.PathType, m.Path = routePath(paths.Draw(t, "path"))
			if rapid.Bool().Draw(t, "header") {
				m.Headers = []catalog.ValueMatch{values.Draw(t, "value")}
			}
			list = append(list, prioritized{i / 2, m})
		}
		ordered, err := orderedMatches(list)
		if err != nil {
			return // a note says that it cannot be translated
		}
		for range 20 {
			request := drawn(t)
			if want, got := firstRule(list, request), mostSpecific(ordered, request); want != got {
				t.Fatalf("%+v: rule %d of %+v, but %d of %+v", request, want, list, got, ordered)
			}
		}
	})
}

// sent is a request with the values of headers.
type sent struct {
	method, path string
	headers      map[string]string
}

func drawn(t *rapid.T) sent {
	s := sent{
		method: rapid.SampledFrom([]string{"GET", "PUT", "POST"}).Draw(t, "method of request"),
		path:   rapid.SampledFrom([]string{"/", "/a", "/a/b", "/a/", "/b", "/ab"}).Draw(t, "path of request"), headers: map[string]string{},
	}
	for _, name := range []string{"x", "y"} {
		if value := rapid.SampledFrom([]string{"", "a", "ab", "b"}).Draw(t, "header of request"); value != "" {
			s.headers[name] = value
		}
	}
	return s
}

func (s sent) fits(m catalog.RouteMatch) bool {
	fits := authz.MatchesPath(m, s.path) && (m.Method == "" || m.Method == s.method)
	for _, h := range m.Headers {
		value, exists := s.headers[h.Name]
		fits = fits && exists && (h.Regex && fullMatch(h.Value, value) || !h.Regex && h.Value == value)
	}
	return fits
}

func firstRule(list []prioritized, s sent) int {
	first := -1
	for _, p := range list {
		if s.fits(p.match) && (first < 0 || p.rule < first) {
			first = p.rule
		}
	}
	return first
}

func mostSpecific(list []prioritized, s sent) int {
	best := -1
	for i, p := range list {
		if s.fits(p.match) && (best < 0 || catalog.CompareRouteMatches(p.match, list[best].match) < 0) {
			best = i
		}
	}
	if best < 0 {
		return -1
	}
	return list[best].rule
}

func TestGatewayDuration(t *testing.T) {
	for d, want := range map[int64]string{0: "0s true", 25: "25ms true", 1500: "1s500ms true", 61_000: "1m1s true", 3_600_000: "1h true"} {
		text, ok := gatewayDuration(millis(d))
		if got := fmt.Sprint(text, " ", ok); got != want {
			t.Errorf("%dms is %s, want %s", d, got, want)
		}
	}
	if _, ok := gatewayDuration(millis(1) / 2); ok {
		t.Error("half a millisecond is expressed")
	}
}

func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
