package authz_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestDecideForwarded checks where the ingress gateway sends the requests for a backend of a route: matches and routes of the Service have no effect.
func TestDecideForwarded(t *testing.T) {
	beta := splitOf("ab", "books", 0, []string{"beta"}, backend("books-v2", 1))
	toNext := routeTo("shop", "r", "/", Name("shop", "books-v2"))
	toNext.Parents[0].Service = Name("shop", "books")
	for name, test := range map[string]struct {
		service string
		port    uint16
		entries []catalog.Entry
		want    []string
	}{
		"no such Service":            {"none", 80, nil, []string{"unavailable: the mesh has no Service shop/none with a port 80"}},
		"no such port":               {"books", 81, nil, []string{"unavailable: the mesh has no Service shop/books with a port 81"}},
		"the Service":                {"books", 80, nil, []string{"allowed books"}},
		"a split with matches":       {"books", 80, []catalog.Entry{beta}, []string{"allowed books"}},
		"a route":                    {"books", 80, []catalog.Entry{toNext}, []string{"allowed books"}},
		"a split without matches":    {"books", 80, []catalog.Entry{beta, splitOf("all", "books", 0, nil, backend("books-v2", 1))}, []string{"allowed books-v2 shop/all"}},
		"a backend without weight":   {"books", 80, []catalog.Entry{splitOf("all", "books", 0, nil, backend("books", 0), backend("books-v2", 1))}, []string{"allowed books-v2 shop/all"}},
		"a split without any weight": {"books", 80, []catalog.Entry{splitOf("all", "books", 0, nil, backend("books-v2", 0))}, []string{"unavailable shop/all: a backend in the TrafficSplit shop/all of shop/books that has this port and a weight"}},
		"a Service without pods":     {"root", 80, nil, []string{"unavailable: a pod behind shop/root, for the requests that no TrafficSplit takes"}},
	} {
		request := authz.Request{
			Source: SA("ingress", "gateway"), Service: Name("shop", test.service), Port: test.port, Method: "GET", Path: "/", Headers: []authz.Header{{Name: "x-beta", Value: "yes"}},
		}
		var got []string
		for _, a := range authz.DecideForwarded(Apply(store(test.entries...)...).View(), request).Answers {
			line := strings.Join(strings.Fields(fmt.Sprintf("%s %s %s", a.Outcome, a.Service.Name, a.Split)), " ")
			if a.Missing != "" {
				line += ": " + a.Missing
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
