package authz_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// store is a mesh in which every client may call the Service books in two versions, and root, which has no pods.
func store(more ...catalog.Entry) []catalog.Entry {
	v1, v2 := Pod("shop", "v1", "v1", "v1", "10.0.0.1"), Pod("shop", "v2", "v2", "v2", "10.0.0.2")
	books := Service("shop", "books", "v1", "10.96.0.1", 80, inventory.ProtocolHTTP)
	next := Service("shop", "books-v2", "v2", "10.96.0.2", 80, inventory.ProtocolHTTP)
	next.Ports[0].TargetPort, next.Ports[0].TargetName = 0, "web"
	v2.Ports = map[string]uint16{"web": 9090}
	root := Service("shop", "root", "", "10.96.0.3", 80, inventory.ProtocolHTTP)
	root.Selector, root.Ports[0].TargetPort, root.Ports[0].TargetName = nil, 0, "web"
	books.Ports = append(books.Ports, inventory.Port{Number: 3306, TargetPort: 3306, Protocol: inventory.ProtocolTCP})
	next.Ports = append(next.Ports, inventory.Port{Number: 3306, TargetPort: 3307, Protocol: inventory.ProtocolTCP})
	slice := Slice(next.Name, v2)
	slice.Ports = map[string]uint16{}
	return append([]catalog.Entry{
		&catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Settings{Permissive: true}, v1, v2, books, next, root,
		Slice(books.Name, v1), slice,
		&catalog.HTTPRouteGroup{Name: Name("shop", "beta"), Matches: []catalog.HTTPMatch{
			{Name: "header", Headers: []catalog.HeaderMatch{{Name: "x-beta", Regex: "yes|sure"}}},
			{Name: "path", PathRegex: "/beta/.*", Methods: []string{"GET"}},
		}},
		&catalog.HTTPRouteGroup{Name: Name("shop", "all"), Matches: []catalog.HTTPMatch{{Name: "all"}}},
	}, more...)
}

// splitOf applies to requests that match the groups, or to all without groups. age is in seconds.
func splitOf(name, root string, age int64, groups []string, backends ...catalog.SplitBackend) *catalog.TrafficSplit {
	return &catalog.TrafficSplit{Name: Name("shop", name), Root: Name("shop", root), Created: time.Unix(-age, 0), Matches: groups, Backends: backends}
}

func TestSplits(t *testing.T) {
	beta := func(more ...authz.Header) authz.Request {
		return authz.Request{Source: SA("shop", "client"), Service: Name("shop", "books"), Port: 80, Method: "GET", Path: "/", Headers: append([]authz.Header{{":authority", "books"}}, more...)}
	}
	plain, yes := beta(), beta(authz.Header{"X-Beta", "yes"})
	path, post, dirty, twice, onRoot, database := plain, plain, plain, beta(authz.Header{"x-beta", "yes"}, authz.Header{"x-beta", "sure"}), yes, plain
	path.Path, post.Path, post.Method, dirty.Path = "/beta/1?x=/", "/beta/1", "POST", "/x/../beta/1"
	onRoot.Service, database.Port = Name("shop", "root"), 3306
	v1, v2, none := backend("books", 1), backend("books-v2", 1), backend("none", 1)
	match := splitOf("ab", "books", 0, []string{"beta"}, v2)
	for _, test := range []struct {
		name    string
		request authz.Request
		splits  []catalog.Entry
		// want is, for each answer, outcome, Service, split and match.
		want []string
	}{
		{"no split", yes, nil, []string{"allowed books"}},
		{"split applies to matching requests", yes, []catalog.Entry{match}, []string{"allowed books-v2 ab by header of HTTPRouteGroup shop/beta"}},
		{"other requests go to the root", plain, []catalog.Entry{match}, []string{"allowed books"}},
		{"by path and method", path, []catalog.Entry{match}, []string{"allowed books-v2 ab by path of HTTPRouteGroup shop/beta"}},
		{"another method", post, []catalog.Entry{match}, []string{"allowed books"}},
		{"paths as they are written", dirty, []catalog.Entry{match}, []string{"allowed books"}},
		{"a header twice is one value", twice, []catalog.Entry{match}, []string{"allowed books"}},
		{"other requests follow the split without matches", plain, []catalog.Entry{match, splitOf("rest", "books", 9, nil, v2)}, []string{"allowed books-v2 rest"}},
		{"matches come first, however young", yes, []catalog.Entry{splitOf("young", "books", -9, []string{"beta"}, v1), splitOf("rest", "books", 9, nil, v2)}, []string{"allowed books young by header of HTTPRouteGroup shop/beta"}},
		{"the oldest that matches", yes, []catalog.Entry{match, splitOf("old", "books", 5, []string{"all"}, v1)}, []string{"allowed books old by all of HTTPRouteGroup shop/all"}},
		{"by name among equals", yes, []catalog.Entry{match, splitOf("aa", "books", 0, []string{"beta"}, v1)}, []string{"allowed books aa by header of HTTPRouteGroup shop/beta"}},
		{"a group that does not exist selects nothing", yes, []catalog.Entry{splitOf("ab", "books", 0, []string{"none"}, v2)}, []string{"allowed books"}},
		{"the other group still selects", yes, []catalog.Entry{splitOf("ab", "books", 0, []string{"beta", "none"}, v2)}, []string{"allowed books-v2 ab by header of HTTPRouteGroup shop/beta"}},
		{"the root among its backends", yes, []catalog.Entry{splitOf("ab", "books", 0, []string{"beta"}, v1, v2)}, []string{"allowed books ab by header of HTTPRouteGroup shop/beta", "allowed books-v2 ab by header of HTTPRouteGroup shop/beta"}},
		{"a backend that does not exist yet is left out", yes, []catalog.Entry{splitOf("ab", "books", 0, []string{"beta"}, none, v2)}, []string{"allowed books-v2 ab by header of HTTPRouteGroup shop/beta"}},
		{"no backend exists yet", yes, []catalog.Entry{splitOf("ab", "books", 0, []string{"beta"}, none)}, []string{"unavailable  ab by header of HTTPRouteGroup shop/beta"}},
		{"no weight", yes, []catalog.Entry{splitOf("ab", "books", 0, []string{"beta"}, backend("books-v2", 0))}, []string{"unavailable  ab by header of HTTPRouteGroup shop/beta"}},
		{"no weight does not affect other requests", plain, []catalog.Entry{splitOf("ab", "books", 0, []string{"beta"}, backend("books-v2", 0))}, []string{"allowed books"}},
		{"a root without pods", onRoot, []catalog.Entry{splitOf("ab", "root", 0, nil, v2)}, []string{"allowed books-v2 ab"}},
		{"a root without pods, by match", onRoot, []catalog.Entry{splitOf("ab", "root", 0, []string{"beta"}, v2)}, []string{"allowed books-v2 ab by header of HTTPRouteGroup shop/beta"}},
		{"a root without pods has no backend for other requests", func() authz.Request { r := onRoot; r.Headers = nil; return r }(), []catalog.Entry{splitOf("ab", "root", 0, []string{"beta"}, v2)}, []string{"unavailable "}},
		{"connections have no headers", database, []catalog.Entry{match}, []string{"allowed books"}},
		{"connections follow the split without matches", database, []catalog.Entry{match, splitOf("rest", "books", 0, nil, v2)}, []string{"allowed books-v2 rest"}},
		{"a split of a split is not followed", yes, []catalog.Entry{match, splitOf("next", "books-v2", 0, nil, v1)}, []string{"allowed books-v2 ab by header of HTTPRouteGroup shop/beta"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, a := range authz.Decide(Apply(store(test.splits...)...).View(), test.request).Answers {
				line := fmt.Sprintf("%s %s", a.Outcome, a.Service.Name)
				if a.Split != "" {
					line += " " + a.Split[len("shop/"):]
				}
				if a.Match != "" {
					line += " by " + a.Match
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSplitWithoutBackendPort checks that a port that no backend has is unreachable, and that the answer names the
// split.
func TestSplitWithoutBackendPort(t *testing.T) {
	lone := Service("shop", "lone", "v2", "10.96.0.7", 81, inventory.ProtocolHTTP)
	v := Apply(store(lone, splitOf("ab", "books", 0, nil, backend("lone", 1)))...).View()
	r := authz.Request{Source: SA("shop", "client"), Service: Name("shop", "books"), Port: 80, Method: "GET", Path: "/"}
	got := authz.Decide(v, r)
	if want := "a backend in the TrafficSplit shop/ab of shop/books that has this port and a weight"; !got.Always(authz.Reset) || got.Answers[0].Missing != want {
		t.Errorf("verdict = %+v, want reset for want of %s", got, want)
	}
}

// TestHeadlessSplitRoot checks that requests selected by a split are load balanced, and others go to the pod that the
// client chose.
func TestHeadlessSplitRoot(t *testing.T) {
	one, two := Pod("shop", "db-1", "db", "one", "10.0.0.7"), Pod("shop", "db-2", "db", "two", "10.0.0.8")
	db := Service("shop", "db", "db", "", 80, inventory.ProtocolHTTP)
	v := Apply(store(one, two, db, Slice(db.Name, one, two), splitOf("ab", "db", 0, []string{"beta"}, backend("books-v2", 1)))...).View()
	for _, test := range []struct {
		beta, pod, want string
	}{{"yes", "10.0.0.7", "v2"}, {"yes", "10.0.0.8", "v2"}, {"no", "10.0.0.7", "one"}, {"no", "10.0.0.8", "two"}} {
		r := authz.Request{
			Source: SA("shop", "client"), Service: db.Name, Port: 80, Pod: netip.MustParseAddr(test.pod), Method: "GET", Path: "/",
			Headers: []authz.Header{{":authority", "db"}, {"x-beta", test.beta}},
		}
		if got := authz.Decide(v, r).Answers; len(got) != 1 || got[0].Outcome != authz.Allowed || got[0].Destination.Name != test.want {
			t.Errorf("%+v = %+v, want it allowed at %s", test, got, test.want)
		}
	}
}

// TestThreat37SplitCycles checks that splits are not followed from one to the next, so that they cannot form a cycle.
func TestThreat37SplitCycles(t *testing.T) {
	v := Apply(store(splitOf("there", "books", 0, nil, backend("books-v2", 1)), splitOf("back", "books-v2", 0, nil, backend("books", 1)))...).View()
	for from, to := range map[string]string{"books": "books-v2", "books-v2": "books"} {
		r := authz.Request{Source: SA("shop", "client"), Service: Name("shop", from), Port: 80, Method: "GET", Path: "/"}
		if got := authz.Decide(v, r).Answers; len(got) != 1 || got[0].Service.Name != to || got[0].Outcome != authz.Allowed {
			t.Errorf("a request to %s = %+v, want it allowed at %s", from, got, to)
		}
	}
}

// TestThreat37OldestSplitWins checks that of two splits with one root only the oldest applies, the first by name among
// equals.
func TestThreat37OldestSplitWins(t *testing.T) {
	old, young := splitOf("z", "books", 5, nil, backend("books", 1)), splitOf("a", "books", 1, nil, backend("books-v2", 1))
	same := splitOf("b", "books", 1, nil, backend("books", 1))
	r := authz.Request{Source: SA("shop", "client"), Service: Name("shop", "books"), Port: 80, Method: "GET", Path: "/"}
	for want, splits := range map[string][]catalog.Entry{"books": {young, old}, "books-v2": {same, young}} {
		if got := authz.Decide(Apply(store(splits...)...).View(), r).Answers; len(got) != 1 || got[0].Service.Name != want {
			t.Errorf("answers = %+v, want only %s", got, want)
		}
	}
}
