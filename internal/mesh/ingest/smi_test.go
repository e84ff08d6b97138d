package ingest

import (
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// x is the name of the objects that smi makes, and created the time of their creation.
var (
	x       = entity.Name{Namespace: "shop", Name: "x"}
	created = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
)

func TestTrafficTarget(t *testing.T) {
	good := &catalog.TrafficTarget{
		Name:        x,
		Destination: identity.ServiceAccount{Namespace: "shop", Name: "bookstore"},
		Sources:     []identity.ServiceAccount{{Namespace: "a", Name: "buyer"}, {Namespace: "b", Name: "cert-manager.io"}},
		Rules:       []catalog.TargetRule{{Kind: entity.KindHTTPRouteGroup, Name: "books", Matches: []string{"buy", "sell"}}, {Kind: entity.KindTCPRoute, Name: "tcp"}},
	}
	const destination = "destination: {kind: ServiceAccount, name: bookstore, namespace: shop}\n"
	const sources = "sources: [{kind: ServiceAccount, name: buyer, namespace: a}]\n"
	const rules = "rules: [{kind: TCPRoute, name: tcp}]\n"
	small := &catalog.TrafficTarget{Name: x, Destination: good.Destination, Sources: good.Sources[:1], Rules: good.Rules[1:]}
	for name, c := range map[string]struct {
		spec     string
		want     *catalog.TrafficTarget
		problems []string
	}{
		"sorted, without doubles": {destination + `
sources: [{kind: ServiceAccount, name: cert-manager.io, namespace: b}, {kind: ServiceAccount, name: buyer, namespace: a}, {kind: ServiceAccount, name: buyer, namespace: a}]
rules: [{kind: HTTPRouteGroup, name: books, matches: [sell, buy, buy]}, {kind: TCPRoute, name: tcp}]`, good, nil},
		"destination in its own namespace by default": {"destination: {kind: ServiceAccount, name: bookstore}\n" + sources + rules, small, nil},
		"threat 36, destination elsewhere": {
			"destination: {kind: ServiceAccount, name: vault, namespace: bank}\n" + sources + rules, nil,
			[]string{"ForeignNamespace: spec.destination.namespace is bank, but this TrafficTarget is in shop"},
		},
		"threat 35, no rules":   {destination + sources, nil, []string{"?GrantsNothing: spec.rules is empty"}},
		"threat 35, no sources": {destination + rules, nil, []string{"?GrantsNothing: spec.sources is empty"}},
		"threat 35, unknown kind of rule": {
			destination + sources + "rules: [{kind: TCPRoute, name: tcp}, {kind: GRPCRoute, name: dns}]", nil,
			[]string{`Unsupported: spec.rules[1] has the kind "GRPCRoute"`},
		},
		"a UDP rule and another rule": {
			destination + sources + "rules: [{kind: UDPRoute, name: dns}, {kind: TCPRoute, name: tcp}]", small,
			[]string{`?NotCaptured: spec.rules[0] refers to UDPRoute "dns" and is not enforced`},
		},
		"only a UDP rule":            {destination + sources + "rules: [{kind: UDPRoute, name: dns}]", nil, []string{"?NotCaptured: spec.rules[0]"}},
		"rule without a name":        {destination + sources + "rules: [{kind: TCPRoute}]", nil, []string{"InvalidName: spec.rules[0] has no name"}},
		"destination of other kind":  {"destination: {kind: Service, name: bookstore}\n" + sources + rules, nil, []string{`Unsupported: spec.destination has the kind "Service"`}},
		"no destination":             {sources + rules, nil, []string{`Unsupported: spec.destination has the kind ""`}},
		"source of other kind":       {destination + "sources: [{kind: Group, name: all}, {kind: ServiceAccount, name: buyer, namespace: a}]\n" + rules, small, []string{"Unsupported: spec.sources[0]"}},
		"source without a namespace": {destination + "sources: [{kind: ServiceAccount, name: buyer}]\n" + rules, nil, []string{"InvalidName: spec.sources[0] has no namespace"}},
		"threat 14, namespace with a dot": {
			destination + "sources: [{kind: ServiceAccount, name: x, namespace: a.b}, {kind: ServiceAccount, name: buyer, namespace: a}]\n" + rules, small,
			[]string{"InvalidName: spec.sources[0].namespace"},
		},
		"threat 14, name is a pattern": {destination + "sources: [{kind: ServiceAccount, name: '.*', namespace: a}]\n" + rules, nil, []string{"InvalidName: spec.sources[0].name"}},
		"wrong types": {
			"destination: 7\nsources: {a: b}\nrules: [null, {kind: TCPRoute, name: [x]}]", nil,
			[]string{
				"Malformed: spec.destination is the number 7: expected an object", "Malformed: spec.sources is an object: expected a list",
				"Malformed: spec.rules[0] is null: expected an object", "Malformed: spec.rules[1].name is a list: expected text",
			},
		},
		"no spec": {"null", nil, []string{`Unsupported: spec.destination`, "?GrantsNothing", "?GrantsNothing"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := TrafficTarget(smi(t, c.spec))
			expect(t, c.want, got, c.problems, problems)
		})
	}
}

func TestHTTPRouteGroup(t *testing.T) {
	agent := catalog.HeaderMatch{Name: "user-agent", Regex: ".*Chrome.*"}
	host := catalog.HeaderMatch{Name: ":authority", Regex: "shop"}
	group := func(matches ...catalog.HTTPMatch) *catalog.HTTPRouteGroup {
		return &catalog.HTTPRouteGroup{Name: x, Matches: matches}
	}
	both := group(catalog.HTTPMatch{Name: "m", Headers: []catalog.HeaderMatch{host, agent}})
	for name, c := range map[string]struct {
		spec     string
		want     *catalog.HTTPRouteGroup
		problems []string
	}{
		"all parts": {
			"matches: [{name: m, pathRegex: /books, methods: [post, GET, GET], headers: [{User-Agent: .*Chrome.*}]}]",
			group(catalog.HTTPMatch{Name: "m", PathRegex: "/books", Methods: []string{"GET", "POST"}, Headers: []catalog.HeaderMatch{agent}}), nil,
		},
		"a path without a slash": {
			"matches: [{name: m, pathRegex: api}]", group(catalog.HTTPMatch{Name: "m", PathRegex: "api"}),
			[]string{`?InvalidRegex: spec.matches[0].pathRegex "api" of the match "m" matches no path, because paths begin with /: write for example "/api".`},
		},
		"a URL": {
			"matches: [{name: m, pathRegex: 'https://host/api'}]", group(catalog.HTTPMatch{Name: "m", PathRegex: "https://host/api"}), []string{`?InvalidRegex: write for example "/api".`},
		},
		"a query": {
			`matches: [{name: m, pathRegex: '/api?x=1'}]`, group(catalog.HTTPMatch{Name: "m", PathRegex: "/api?x=1"}), []string{"?InvalidRegex: spec.matches[0].pathRegex \"/api?x=1\" of the match \"m\" has a query"},
		},
		"a glob": {
			`matches: [{name: m, pathRegex: '/api/*'}]`, group(catalog.HTTPMatch{Name: "m", PathRegex: "/api/*"}), []string{`?InvalidRegex: for all paths below it, write "/api/.*"`},
		},
		"a glob for one segment": {
			`matches: [{name: m, pathRegex: '/api/*/orders'}]`, group(catalog.HTTPMatch{Name: "m", PathRegex: "/api/*/orders"}), []string{`?InvalidRegex: for any text there, write "/api/[^/]+/orders"`},
		},
		"a glob after letters": {
			`matches: [{name: m, pathRegex: '/static*'}]`, group(catalog.HTTPMatch{Name: "m", PathRegex: "/static*"}), []string{`?InvalidRegex: for any text there, write "/static.*"`},
		},
		"stars of regular expressions": {
			`matches: [{name: a, pathRegex: '/\w*'}, {name: b, pathRegex: '/[a-z]*/(x)*'}, {name: c, pathRegex: '/a*b'}]`,
			group(catalog.HTTPMatch{Name: "a", PathRegex: `/\w*`}, catalog.HTTPMatch{Name: "b", PathRegex: "/[a-z]*/(x)*"}, catalog.HTTPMatch{Name: "c", PathRegex: "/a*b"}), nil,
		},
		"an anchor before no slash": {
			`matches: [{name: m, pathRegex: '^api/.*'}]`, group(catalog.HTTPMatch{Name: "m", PathRegex: "^api/.*"}), []string{`?InvalidRegex: write for example "/api/.*".`},
		},
		"a space": {
			`matches: [{name: m, pathRegex: '/api list'}]`, group(catalog.HTTPMatch{Name: "m", PathRegex: "/api list"}), []string{"?InvalidRegex: no path has a space or a #"},
		},
		"spaces after text, escaped and in a class": {
			`matches: [{name: a, pathRegex: '/.* b'}, {name: b, pathRegex: '/a\x20b'}, {name: c, pathRegex: '/a[ b]c'}]`,
			group(catalog.HTTPMatch{Name: "a", PathRegex: "/.* b"}, catalog.HTTPMatch{Name: "b", PathRegex: `/a\x20b`}, catalog.HTTPMatch{Name: "c", PathRegex: "/a[ b]c"}), nil,
		},
		"a repeated beginning": {`matches: [{name: m, pathRegex: '^*/a'}]`, group(catalog.HTTPMatch{Name: "m", PathRegex: "^*/a"}), nil},
		"a host with a path": {
			`matches: [{name: m, headers: [{host: 'shop/a'}]}]`, group(catalog.HTTPMatch{Name: "m", Headers: []catalog.HeaderMatch{{Name: ":authority", Regex: "shop/a"}}}),
			[]string{`?InvalidHeader: write for example "shop"`},
		},
		"a URL as another header": {
			`matches: [{name: m, headers: [{referer: 'http://shop/'}]}]`, group(catalog.HTTPMatch{Name: "m", Headers: []catalog.HeaderMatch{{Name: "referer", Regex: "http://shop/"}}}), nil,
		},
		"a method that is misspelt": {"matches: [{name: m, methods: [GTE]}]", group(catalog.HTTPMatch{Name: "m", Methods: []string{"GTE"}}), []string{`?InvalidMethod: "GTE", which is no usual method`}},
		"a glob in a header": {
			`matches: [{name: m, headers: [{a: 'x*'}]}]`, group(catalog.HTTPMatch{Name: "m", Headers: []catalog.HeaderMatch{{Name: "a", Regex: "x*"}}}), []string{`?InvalidRegex: write "x.*"`},
		},
		"a URL as host": {
			`matches: [{name: m, headers: [{host: 'http://shop/'}]}]`, group(catalog.HTTPMatch{Name: "m", Headers: []catalog.HeaderMatch{{Name: ":authority", Regex: "http://shop/"}}}),
			[]string{`?InvalidHeader: write for example "shop"`},
		},
		"expressions that begin with something else than a slash": {
			`matches: [{name: a, pathRegex: '^/api$'}, {name: b, pathRegex: '(?i)/API'}, {name: c, pathRegex: '[/]a'}, {name: d, pathRegex: '\*'}, {name: e, pathRegex: 'a|/b'}, {name: f, pathRegex: '.*/b'}]`,
			group(catalog.HTTPMatch{Name: "a", PathRegex: "^/api$"}, catalog.HTTPMatch{Name: "b", PathRegex: "(?i)/API"}, catalog.HTTPMatch{Name: "c", PathRegex: "[/]a"},
				catalog.HTTPMatch{Name: "d", PathRegex: `\*`}, catalog.HTTPMatch{Name: "e", PathRegex: "a|/b"}, catalog.HTTPMatch{Name: "f", PathRegex: ".*/b"}), nil,
		},
		"everything":                           {"matches: [{name: m, pathRegex: '.*', methods: ['*', GET]}]", group(catalog.HTTPMatch{Name: "m"}), nil},
		"headers as list":                      {"matches: [{name: m, headers: [{user-agent: .*Chrome.*}, {Host: shop}]}]", both, nil},
		"headers as map":                       {"matches: [{name: m, headers: {user-agent: .*Chrome.*, host: shop}}]", both, nil},
		"headers as list of maps with several": {"matches: [{name: m, headers: [{user-agent: .*Chrome.*, host: shop}]}]", both, nil},
		"threat 13, bad regex is off, others live": {
			"matches: [{name: bad, pathRegex: '/a('}, {name: good, pathRegex: /b}]",
			group(catalog.HTTPMatch{Name: "good", PathRegex: "/b"}),
			[]string{`InvalidRegex: spec.matches[0].pathRegex of the match "bad" is rejected`},
		},
		"bad header regex":     {"matches: [{name: m, headers: [{a: '('}]}]", group(), []string{`InvalidRegex: spec.matches[0].headers[0] "a" is rejected`}},
		"header not text":      {"matches: [{name: m, headers: [{a: 5}]}]", group(), []string{"InvalidHeader: its value is the number 5"}},
		"headers not a list":   {"matches: [{name: m, headers: a}]", group(), []string{`InvalidHeader: spec.matches[0].headers is the text "a"`}},
		"headers list of text": {"matches: [{name: m, headers: [a]}]", group(), []string{`InvalidHeader: spec.matches[0].headers[0] is the text "a"`}},
		"pseudo header":        {"matches: [{name: m, headers: {':path': /a}}]", group(), []string{"InvalidHeader: only the pseudo-header :authority"}},
		"header name":          {"matches: [{name: m, headers: {'a b': x}}]", group(), []string{"InvalidHeader: not the name of a header"}},
		"underscore": {
			"matches: [{name: m, headers: {X_User: a}}]", group(catalog.HTTPMatch{Name: "m", Headers: []catalog.HeaderMatch{{Name: "x_user", Regex: "a"}}}), nil,
		},
		"regex and glob": {"matches: [{name: m, pathRegex: '/(/*'}]", group(), []string{"InvalidRegex: is rejected and the match not used"}},
		"method":         {"matches: [{name: m, methods: ['GET /']}]", group(), []string{`InvalidMethod: spec.matches[0].methods has "GET /"`}},
		"two of one name": {
			"matches: [{name: m, pathRegex: /a}, {name: m, pathRegex: /b}]", group(catalog.HTTPMatch{Name: "m", PathRegex: "/a"}),
			[]string{"DuplicateMatch: spec.matches[1]"},
		},
		"a bad match does not free its name": {"matches: [{name: m, pathRegex: '('}, {name: m, pathRegex: /b}]", group(), []string{"InvalidRegex: ", "DuplicateMatch: "}},
		"no matches":                         {"{}", group(), []string{"?GrantsNothing: spec.matches is empty"}},
		"malformed":                          {"matches: [{name: m, pathRegex: 5}]", nil, []string{"Malformed: spec.matches[0].pathRegex is the number 5: expected text"}},
		"field names are exact":              {"matches: [{name: m, PathRegex: /a}]", group(catalog.HTTPMatch{Name: "m"}), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := HTTPRouteGroup(smi(t, c.spec))
			expect(t, c.want, got, c.problems, problems)
		})
	}
}

func TestTCPRoute(t *testing.T) {
	for name, c := range map[string]struct {
		spec     string
		want     *catalog.TCPRoute
		problems []string
	}{
		"sorted":             {"matches: {name: a, ports: [3306, 80, 80]}", &catalog.TCPRoute{Name: x, Ports: []uint16{80, 3306}}, nil},
		"every port":         {"matches: {name: a}", &catalog.TCPRoute{Name: x}, nil},
		"no matches":         {"{}", &catalog.TCPRoute{Name: x}, nil},
		"threat 56, ports":   {"matches: {ports: [0, 65536, 80]}", nil, []string{"InvalidPort: has 0", "InvalidPort: has 65536"}},
		"matches is a list":  {"matches: [{ports: [80]}]", nil, []string{"Malformed: spec.matches is a list: expected an object"}},
		"a port as text":     {"matches: {ports: ['80']}", nil, []string{`Malformed: spec.matches.ports[0] is the text "80": expected a whole number`}},
		"a port with a part": {"matches: {ports: [80.5]}", nil, []string{"Malformed: spec.matches.ports[0] is the number 80.5"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := TCPRoute(smi(t, c.spec))
			expect(t, c.want, got, c.problems, problems)
		})
	}
}

func TestTrafficSplit(t *testing.T) {
	split := func(weights ...uint32) *catalog.TrafficSplit {
		s := &catalog.TrafficSplit{Name: x, Created: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), Root: entity.Name{Namespace: "shop", Name: "books"}}
		for i, w := range weights {
			s.Backends = append(s.Backends, catalog.SplitBackend{Service: entity.Name{Namespace: "shop", Name: "v" + string(rune('1'+i))}, Weight: w})
		}
		return s
	}
	matching := func(groups ...string) *catalog.TrafficSplit {
		s := split(90, 10)
		s.Matches = groups
		return s
	}
	const backends = "\nbackends: [{service: v2, weight: 10}, {service: v1, weight: 90}]"
	for name, c := range map[string]struct {
		spec     string
		want     *catalog.TrafficSplit
		problems []string
	}{
		"short root":                  {"service: books" + backends, split(90, 10), nil},
		"root with namespace":         {"service: books.shop" + backends, split(90, 10), nil},
		"root with svc":               {"service: books.shop.svc" + backends, split(90, 10), nil},
		"DNS name":                    {"service: books.shop.svc.cluster.local" + backends, split(90, 10), nil},
		"DNS name with dot":           {"service: books.shop.svc.cluster.local." + backends, split(90, 10), nil},
		"root elsewhere":              {"service: books.bank.svc.cluster.local" + backends, nil, []string{"InvalidName: spec.service"}},
		"root outside":                {"service: example.com" + backends, nil, []string{"InvalidName: spec.service"}},
		"no root":                     {backends, nil, []string{"InvalidName: spec.service"}},
		"backend elsewhere":           {"service: books\nbackends: [{service: v1.bank, weight: 1}]", nil, []string{"InvalidName: spec.backends[0].service"}},
		"one Service twice":           {"service: books\nbackends: [{service: v1, weight: 1}, {service: v1.shop, weight: 2}]", split(3), []string{"?DuplicateMatch: spec.backends has 2 elements for 1 Services"}},
		"weight of zero":              {"service: books\nbackends: [{service: v1, weight: 1}, {service: v2}]", split(1, 0), nil},
		"threat 37, negative weight":  {"service: books\nbackends: [{service: v1, weight: -1}, {service: v2, weight: 2}]", nil, []string{"InvalidWeight: spec.backends[0].weight is -1"}},
		"threat 37, sum of zero":      {"service: books\nbackends: [{service: v1, weight: 0}]", split(0), []string{"InvalidWeight: sum up to 0"}},
		"threat 37, no backends":      {"service: books", split(), []string{"InvalidWeight: sum up to 0"}},
		"too large weight":            {"service: books\nbackends: [{service: v1, weight: 4294967297}]", nil, []string{"InvalidWeight: is 4294967297"}},
		"weight of v1alpha1":          {"service: books\nbackends: [{service: v1, weight: 500m}]", nil, []string{`Malformed: spec.backends[0].weight is the text "500m"`}},
		"too many":                    {"service: books\nbackends: [" + strings.Repeat("{service: v1, weight: 1},", 257) + "]", nil, []string{"Unsupported: spec.backends has 257 elements"}},
		"some requests only":          {"service: books\nmatches: [{kind: HTTPRouteGroup, name: b, apiGroup: specs.smi-spec.io}, {kind: HTTPRouteGroup, name: a}, {kind: HTTPRouteGroup, name: a}]" + backends, matching("a", "b"), nil},
		"requests by another kind":    {"service: books\nmatches: [{kind: TCPRoute, name: a}]" + backends, nil, []string{`Unsupported: spec.matches[0] is of the kind "TCPRoute"`}},
		"requests by another group":   {"service: books\nmatches: [{apiGroup: example.com, kind: HTTPRouteGroup, name: a}]" + backends, nil, []string{`Unsupported: of the group "example.com"`}},
		"requests by no name":         {"service: books\nmatches: [{kind: HTTPRouteGroup}]" + backends, nil, []string{"InvalidName: spec.matches[0].name"}},
		"requests by too many":        {"service: books\nmatches: [" + strings.Repeat("{kind: HTTPRouteGroup, name: a},", 65) + "]" + backends, nil, []string{"Unsupported: spec.matches has 65 elements"}},
		"root among its own backends": {"service: v1\nbackends: [{service: v1, weight: 1}]", func() *catalog.TrafficSplit { s := split(1); s.Root.Name = "v1"; return s }(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := TrafficSplit(smi(t, c.spec))
			expect(t, c.want, got, c.problems, problems)
		})
	}
}
