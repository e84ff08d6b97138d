package authz_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// shop is a mesh in which buyer may read books from web's two identities, and thief has another permission for one of
// them.
func shop(more ...catalog.Entry) []catalog.Entry {
	one, two, old := Pod("shop", "web-1", "web", "one", "10.0.0.1"), Pod("shop", "web-2", "web", "two", "10.0.0.2"), Pod("shop", "old", "old", "old", "10.0.0.3")
	web := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	bare := Service("shop", "bare", "web", "", 80, inventory.ProtocolHTTP)
	legacy := Service("shop", "legacy", "old", "10.96.0.2", 80, inventory.ProtocolHTTP)
	db := Service("shop", "db", "web", "10.96.0.3", 3306, inventory.ProtocolTCP)
	empty := Service("shop", "empty", "none", "10.96.0.4", 80, inventory.ProtocolHTTP)
	buyer, thief := SA("buy", "buyer"), SA("buy", "thief")
	return append([]catalog.Entry{
		&catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Namespace{Name: "buy", Monitored: true},
		one, two, old, web, bare, legacy, db, empty,
		Slice(web.Name, one, two), Slice(bare.Name, one, two), Slice(legacy.Name, old), Slice(db.Name, one, two),
		Group("shop", "books", "/books/.*"), Group("shop", "admin", "/admin"),
		Target("read", one.Identity(), []catalog.TargetRule{HTTP("books")}, buyer),
		Target("read-too", one.Identity(), []catalog.TargetRule{HTTP("books")}, buyer, thief),
		Target("read-two", two.Identity(), []catalog.TargetRule{HTTP("books")}, buyer),
		Target("admin", one.Identity(), []catalog.TargetRule{HTTP("admin")}, thief),
		Target("db", two.Identity(), []catalog.TargetRule{TCP("mysql")}, buyer), &catalog.TCPRoute{Name: Name("shop", "mysql"), Ports: []uint16{3306}},
	}, more...)
}

func split(root string, backends ...catalog.SplitBackend) *catalog.TrafficSplit {
	return &catalog.TrafficSplit{Name: Name("shop", "split"), Root: Name("shop", root), Backends: backends}
}

func backend(name string, weight uint32) catalog.SplitBackend {
	return catalog.SplitBackend{Service: Name("shop", name), Weight: weight}
}

func TestDecide(t *testing.T) {
	get := func(source, service, path string) authz.Request {
		return authz.Request{Source: SA("buy", source), Service: Name("shop", service), Port: 80, Method: "GET", Path: path}
	}
	database := authz.Request{Source: SA("buy", "buyer"), Service: Name("shop", "db"), Port: 3306}
	pod := get("thief", "bare", "/books/1")
	pod.Pod = netip.MustParseAddr("10.0.0.2")
	for _, test := range []struct {
		name    string
		more    []catalog.Entry
		request authz.Request
		// want has one line per answer: outcome, destination, policies, and a part of Missing.
		want []string
	}{
		{"granted by any policy, per identity", nil, get("buyer", "web", "/books/1"), []string{"allowed one shop/read,shop/read-too", "allowed two shop/read-two"}},
		{"only identities that the client may call", nil, get("thief", "web", "/books/1"), []string{"allowed one shop/read-too"}},
		{"granted to others", nil, get("buyer", "web", "/admin"), []string{"forbidden one: shop/admin", "not found two: GET /admin"}},
		{"not granted", nil, get("thief", "web", "/other"), []string{"not found one: GET /other"}},
		{"path that needs normalization", nil, get("thief", "web", "//books/../%61dmin"), []string{"allowed one shop/admin"}},
		{"ambiguous path", nil, get("thief", "web", "/books%2f1"), []string{"bad request one: %2f"}},
		{"a fragment", nil, get("thief", "web", "/books/1#a"), []string{"bad request : fragment"}},
		{"Service without a grant", nil, get("thief", "legacy", "/"), []string{"reset : from buy/thief to shop/old"}},
		{"no such Service", nil, get("thief", "none", "/"), []string{"reset : no Service shop/none"}},
		{"no such port", nil, authz.Request{Source: SA("buy", "thief"), Service: Name("shop", "web"), Port: 81}, []string{"reset : port 81"}},
		{"client without any grant", nil, get("stranger", "web", "/books/1"), []string{"refused : from buy/stranger to shop/one"}},
		{"client without any grant, with egress", []catalog.Entry{&catalog.Settings{Egress: true}}, get("stranger", "web", "/books/1"), []string{"passed through : from buy/stranger to shop/one"}},
		{"Service without pods", []catalog.Entry{&catalog.Settings{Permissive: true}}, get("thief", "empty", "/"), []string{"reset : a pod behind shop/empty"}},
		{"permissive", []catalog.Entry{&catalog.Settings{Permissive: true}}, get("stranger", "legacy", "/"), []string{"allowed old"}},
		{"TCP by a TCPRoute", nil, database, []string{"allowed two shop/db"}},
		{"a pod that may not be called", nil, pod, []string{"unavailable two: from buy/thief to shop/two"}},
		{
			"split to a backend that denies the client",
			[]catalog.Entry{split("web", backend("web", 1), backend("legacy", 1))},
			get("thief", "web", "/admin"),
			[]string{"allowed one shop/admin", "unavailable old: from buy/thief to shop/old"},
		},
		{"split without weight", []catalog.Entry{split("web", backend("web", 0))}, get("thief", "web", "/admin"), []string{"unavailable : weight"}},
		{
			"split to a Service without pods",
			[]catalog.Entry{split("web", backend("web", 1), backend("empty", 1))},
			get("thief", "web", "/admin"),
			[]string{"allowed one shop/admin", "unavailable : ready pod"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			verdict := authz.Decide(Apply(shop(test.more...)...).View(), test.request)
			var got []string
			for i, a := range verdict.Answers {
				line := strings.TrimSpace(string(a.Outcome) + " " + a.Destination.Name + " " + strings.Join(a.Policies, ","))
				if a.Outcome != authz.Allowed {
					part := ""
					if i < len(test.want) {
						_, part, _ = strings.Cut(test.want[i], ": ")
					}
					if part == "" || !strings.Contains(a.Missing, part) {
						part = a.Missing
					}
					line = string(a.Outcome) + " " + a.Destination.Name + ": " + part
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHeaders checks how repeated and ambiguous headers are matched.
func TestHeaders(t *testing.T) {
	group := &catalog.HTTPRouteGroup{Name: Name("shop", "books"), Matches: []catalog.HTTPMatch{{
		Methods: []string{"GET"}, Headers: []catalog.HeaderMatch{{Name: ":authority", Regex: "web.*"}, {Name: "user", Regex: "alice"}},
	}}}
	for _, test := range []struct {
		name    string
		method  string
		headers []authz.Header
		want    authz.Outcome
	}{
		{"whole value", "GET", []authz.Header{{":authority", "web.shop"}, {"User", "alice"}}, authz.Allowed},
		{"part of the value", "GET", []authz.Header{{":authority", "web.shop"}, {"user", "alice2"}}, authz.NotFound},
		{"missing", "GET", []authz.Header{{":authority", "web.shop"}}, authz.NotFound},
		{"present, but empty", "GET", []authz.Header{{":authority", "web.shop"}, {"user", ""}}, authz.NotFound},
		{"twice", "GET", []authz.Header{{":authority", "web.shop"}, {"user", "alice"}, {"USER", "alice"}}, authz.NotFound},
		{"another method", "PUT", []authz.Header{{":authority", "web.shop"}, {"user", "alice"}}, authz.NotFound},
		{"bytes that are not UTF-8", "GET", []authz.Header{{":authority", "web\xff"}, {"user", "alice"}}, authz.Allowed},
		{"one additional byte", "GET", []authz.Header{{":authority", "web"}, {"user", "alice\xff"}}, authz.NotFound},
		{"underscore", "GET", []authz.Header{{":authority", "web.shop"}, {"user", "alice"}, {"a_b", ""}}, authz.Allowed},
		{"another spelling", "GET", []authz.Header{{":authority", "web.shop"}, {"us_er", "alice"}}, authz.NotFound},
		{"two hosts", "GET", []authz.Header{{":authority", "web"}, {":authority", "web"}, {"user", "alice"}}, authz.BadRequest},
		{"two hosts in one", "GET", []authz.Header{{":authority", "a,web"}, {"user", "alice"}}, authz.BadRequest},
	} {
		r := authz.Request{Source: SA("buy", "thief"), Service: Name("shop", "web"), Port: 80, Method: test.method, Path: "/", Headers: test.headers}
		if got := authz.Decide(Apply(shop(group)...).View(), r); !got.Always(test.want) {
			t.Errorf("%s: %+v, want %s", test.name, got, test.want)
		}
	}
}
