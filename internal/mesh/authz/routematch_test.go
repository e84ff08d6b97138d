package authz

import (
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// TestMatchesPath checks the types of paths. Proxies take the prefix / for every path that begins with a slash, which * in OPTIONS * does not.
func TestMatchesPath(t *testing.T) {
	for _, test := range []struct {
		pathType, path, requested string
		want                      bool
	}{
		{catalog.PathExact, "/a", "/a", true},
		{catalog.PathExact, "/a", "/a/", false},
		{catalog.PathExpression, "/a.", "/ab", true},
		{catalog.PathExpression, "/a.", "/abc", false},
		{catalog.PathPrefix, "/a", "/a", true},
		{catalog.PathPrefix, "/a/", "/a", true},
		{catalog.PathPrefix, "/a", "/a/b", true},
		{catalog.PathPrefix, "/a", "/ab", false},
		{catalog.PathPrefix, "/", "/a", true},
		{catalog.PathPrefix, "/", "*", false},
	} {
		if got := MatchesPath(catalog.RouteMatch{PathType: test.pathType, Path: test.path}, test.requested); got != test.want {
			t.Errorf("%s %s matches %s: %t, want %t", test.pathType, test.path, test.requested, got, test.want)
		}
	}
}

// TestMatchesRoute checks the conditions of matches of routes, all of which must apply.
func TestMatchesRoute(t *testing.T) {
	match := func(change func(*catalog.RouteMatch)) *catalog.RouteMatch {
		m := &catalog.RouteMatch{PathType: catalog.PathPrefix, Path: "/"}
		change(m)
		return m
	}
	header := func(list ...catalog.ValueMatch) *catalog.RouteMatch {
		return match(func(m *catalog.RouteMatch) { m.Headers = list })
	}
	query := func(list ...catalog.ValueMatch) *catalog.RouteMatch {
		return match(func(m *catalog.RouteMatch) { m.Query = list })
	}
	m := clientMessage(Request{Method: "GET", Path: "/x?a=1&a=2&b&c=d=e", Headers: []Header{{Name: ":authority", Value: "web"}, {Name: "User", Value: "alice"}, {Name: "empty"}}})
	for name, test := range map[string]struct {
		match *catalog.RouteMatch
		want  bool
	}{
		"everything":                     {match(func(*catalog.RouteMatch) {}), true},
		"the method":                     {match(func(m *catalog.RouteMatch) { m.Method = "GET" }), true},
		"another method":                 {match(func(m *catalog.RouteMatch) { m.Method = "PUT" }), false},
		"another path":                   {match(func(m *catalog.RouteMatch) { m.Path = "/y" }), false},
		"a header in another case":       {header(catalog.ValueMatch{Name: "uSER", Value: "alice"}), true},
		"another value of a header":      {header(catalog.ValueMatch{Name: "user", Value: "bob"}), false},
		"a header that is no expression": {header(catalog.ValueMatch{Name: "user", Value: "a.*"}), false},
		"an expression":                  {header(catalog.ValueMatch{Name: "user", Value: "a.*", Regex: true}), true},
		"another expression":             {header(catalog.ValueMatch{Name: "user", Value: "b.*", Regex: true}), false},
		"a part of a value":              {header(catalog.ValueMatch{Name: "user", Value: "ali", Regex: true}), false},
		"an empty header":                {header(catalog.ValueMatch{Name: "empty", Value: ".*", Regex: true}), true},
		"a header that is absent":        {header(catalog.ValueMatch{Name: "absent", Value: ".*", Regex: true}), false},
		"the host":                       {header(catalog.ValueMatch{Name: "Host", Value: "web"}), true},
		"two headers, of which one fits": {header(catalog.ValueMatch{Name: "user", Value: "alice"}, catalog.ValueMatch{Name: "host", Value: "new"}), false},
		"the first value of a parameter": {query(catalog.ValueMatch{Name: "a", Value: "1"}), true},
		"a further value of a parameter": {query(catalog.ValueMatch{Name: "a", Value: "2"}), false},
		"a parameter without a value":    {query(catalog.ValueMatch{Name: "b", Value: ""}), true},
		"a value with =":                 {query(catalog.ValueMatch{Name: "c", Value: "d=e"}), true},
		"a parameter that is absent":     {query(catalog.ValueMatch{Name: "d", Value: ".*", Regex: true}), false},
		"two parameters":                 {query(catalog.ValueMatch{Name: "c", Value: "d.e", Regex: true}, catalog.ValueMatch{Name: "a", Value: "1"}), true},
	} {
		if got := m.matchesRoute(test.match); got != test.want {
			t.Errorf("%s matches: %t, want %t", name, got, test.want)
		}
	}
}

// TestRewritePath checks the path that a server receives after a rewrite of the path, or of the prefix /old.
func TestRewritePath(t *testing.T) {
	whole, prefix := func(value string) *catalog.PathEdit { return &catalog.PathEdit{Value: value} }, func(value string) *catalog.PathEdit {
		return &catalog.PathEdit{Prefix: true, Value: value}
	}
	for _, test := range []struct {
		path, matched string
		edit          *catalog.PathEdit
		want          string
	}{
		{"/old/a?q=1", "/old", nil, "/old/a?q=1"},
		{"/old/a", "/old", whole("/new"), "/new"},
		{"/old/a?q=1", "/old", whole("/new/"), "/new/?q=1"},
		{"/old", "/old", whole("/new"), "/new"},
		{"/old?", "/old", whole("/new"), "/new?"},
		{"/old/a", "/old", prefix("/new"), "/new/a"},
		{"/old", "/old", prefix("/new"), "/new"},
		{"/old/", "/old", prefix("/new"), "/new/"},
		{"/old/a?q=1", "/old/", prefix("/new/"), "/new/a?q=1"},
		{"/old//a", "/old", prefix("/new"), "/new//a"},
		{"/old/a", "/old", prefix("/"), "/a"},
		{"/old//a", "/old", prefix("/"), "/a"},
		{"/old", "/old", prefix("/"), "/"},
		{"/a/b", "/", prefix("/new"), "/new/a/b"},
		{"//a", "/", prefix("/new"), "/new/a"},
		{"/", "/", prefix("/new"), "/new/"},
	} {
		filters := catalog.RouteFilters{Rewrite: &catalog.RouteRewrite{Path: test.edit}}
		if got := EditRequest(Request{Path: test.path}, &catalog.RouteMatch{Path: test.matched}, filters).Path; got != test.want {
			t.Errorf("the path %s of a match of %s becomes %s by %+v, want %s", test.path, test.matched, got, test.edit, test.want)
		}
	}
}

// TestEditRequest checks which headers a server receives.
func TestEditRequest(t *testing.T) {
	sent := []Header{{":authority", "web"}, {"Stage", "one"}, {"x", "1"}}
	edits := func(change catalog.HeaderEdits) catalog.RouteFilters {
		return catalog.RouteFilters{HeaderFilters: catalog.HeaderFilters{Request: change}}
	}
	value := func(name, value string) []catalog.HeaderValue {
		return []catalog.HeaderValue{{Name: name, Value: value}}
	}
	for name, test := range map[string]struct {
		filters catalog.RouteFilters
		want    []Header
	}{
		"none":                       {catalog.RouteFilters{}, sent},
		"a removed header":           {edits(catalog.HeaderEdits{Remove: []string{"stage"}}), []Header{sent[0], sent[2]}},
		"a header that is set":       {edits(catalog.HeaderEdits{Set: value("stage", "two")}), []Header{sent[0], sent[2], {"stage", "two"}}},
		"a header that is added":     {edits(catalog.HeaderEdits{Add: value("stage", "two")}), append(slices.Clone(sent), Header{"stage", "two"})},
		"another host":               {catalog.RouteFilters{Rewrite: &catalog.RouteRewrite{Hostname: "new"}}, []Header{sent[1], sent[2], {":authority", "new"}}},
		"a rewrite without the host": {catalog.RouteFilters{Rewrite: &catalog.RouteRewrite{}}, sent},
	} {
		if got := EditRequest(Request{Path: "/", Headers: sent}, &catalog.RouteMatch{}, test.filters).Headers; !slices.Equal(got, test.want) {
			t.Errorf("%s: the headers become %v, want %v", name, got, test.want)
		}
	}
}
