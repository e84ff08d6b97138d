package gateway_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// toMany returns rules with references to different Services of a namespace.
func toMany(namespace string, rules, references int) []catalog.HTTPRouteRule {
	var list []catalog.HTTPRouteRule
	for i := range rules {
		r := rule(fmt.Sprint("/", i))
		for k := range references {
			r.Backends = append(r.Backends, catalog.RouteBackend{Service: entity.Name{Namespace: namespace, Name: fmt.Sprintf("s-%d-%d", i, k)}, Port: 80, Weight: 1})
		}
		list = append(list, r)
	}
	return list
}

// referrers are n HTTPRoutes with 16 references to another namespace, and as many ReferenceGrants of that namespace.
func referrers(namespace, parent string, n int) []catalog.Entry {
	var entries []catalog.Entry
	for i := range n {
		r := route(namespace, fmt.Sprintf("r%04d", i), []string{fmt.Sprintf("h%d.example", i)}, toMany(other, 1, 16)...)
		r.Parents[0].Gateway.Name = parent
		entries = append(entries, r, &catalog.ReferenceGrant{
			Name: entity.Name{Namespace: other, Name: fmt.Sprint("g", i)},
			From: []catalog.GrantedReferrer{{Group: gateway.Group, Kind: "HTTPRoute", Namespace: namespace}},
			To:   []catalog.GrantedObject{{Kind: "Service", Name: fmt.Sprintf("s-0-%d", i)}},
		})
	}
	return entries
}

// allocated returns the bytes that a function allocates, which do not depend on the speed of the machine.
func allocated(f func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc - before.TotalAlloc)
}

// TestReferencesAreResolvedInLinearWork checks that the ReferenceGrants of a cluster are not read again for each reference to a Service.
func TestReferencesAreResolvedInLinearWork(t *testing.T) {
	const size, factor = 25, 10
	work := func(n int) float64 {
		v := mesh(append(referrers(shop, "web", n), gatewayOf("web", http("a", "")))...)
		return allocated(func() { gateway.Resolve(v) })
	}
	if growth := work(size*factor) / work(size); growth > 2*factor {
		t.Errorf("%d times as many routes and grants need %.0f times the memory", factor, growth)
	}
}

// TestBackendsOfSidecarsAreResolvedInLinearWork is the same for a route whose parent is a Service.
func TestBackendsOfSidecarsAreResolvedInLinearWork(t *testing.T) {
	const size, factor = 16, 16
	work := func(n int) float64 {
		var entries []catalog.Entry
		for i := range n {
			entries = append(entries, &catalog.ReferenceGrant{
				Name: entity.Name{Namespace: other, Name: fmt.Sprint(i)}, From: []catalog.GrantedReferrer{{Group: gateway.Group, Kind: "HTTPRoute", Namespace: shop}},
				To: []catalog.GrantedObject{{Kind: "Service", Name: fmt.Sprint(i)}},
			})
		}
		r := serviceRoute(shop, catalog.RouteBackend{}, nil)
		r.Rules = toMany(other, 16, n/16)
		v := mesh(entries...)
		return allocated(func() { gateway.ServiceParents(v, r) })
	}
	if growth := work(size*factor) / work(size); growth > 2*factor {
		t.Errorf("%d times as many backends and grants need %.0f times the memory", factor, growth)
	}
}

// TestRoutesThatNobodyAdmitsCostNothing checks that references are not resolved for routes without a Gateway of the mesh, and of namespaces outside the mesh.
func TestRoutesThatNobodyAdmitsCostNothing(t *testing.T) {
	for name, test := range map[string]struct{ namespace, parent string }{
		"no Gateway":               {shop, "nothing"},
		"outside the mesh":         {"outside", "web"},
		"outside, without Gateway": {"outside", "nothing"},
	} {
		work := func(references int) float64 {
			r := route(test.namespace, "r", nil, toMany(other, 16, references)...)
			r.Parents[0].Gateway.Name = test.parent
			v := mesh(gatewayOf("web", http("a", "")), r)
			return allocated(func() { gateway.Resolve(v) })
		}
		work(1)
		if few, many := work(1), work(16); many > 2*few {
			t.Errorf("%s: 16 references need %.0f bytes, and 256 need %.0f", name, few, many)
		}
	}
}

// TestReferencesOfOneNamespaceAreBounded checks that the routes beyond the bound have a status, and that other namespaces keep theirs.
func TestReferencesOfOneNamespaceAreBounded(t *testing.T) {
	entries := []catalog.Entry{gatewayOf("web", open("a", "")), route(shop, "z", []string{"shop.example"}, rules(shop, 10)...)}
	for i := range 20 {
		entries = append(entries, route(other, fmt.Sprintf("r%02d", i), []string{fmt.Sprintf("h%d.example", i)}, toMany(other, 16, 16)...))
	}
	result := gateway.Resolve(mesh(entries...))
	for name, want := range map[string]bool{"r00": true, "r18": true, "r19": false, "z": true} {
		got := statusOf(t, result, name)
		if got.OK != want {
			t.Errorf("route %s has %+v", name, got)
		}
		if !want && (got.Reason != "TooManyReferences" || !strings.Contains(got.Message, "more than 5000 backendRefs")) {
			t.Errorf("route %s has %+v", name, got)
		}
	}
}

// TestResultNamesTheServices checks that the Services of routes are named, each once, whether or not they exist, and also of routes that no listener
// admits: their status says whether they exist.
func TestResultNamesTheServices(t *testing.T) {
	missing := catalog.RouteBackend{Service: entity.Name{Namespace: shop, Name: "missing"}, Port: 80, Weight: 1}
	result := gateway.Resolve(mesh(gatewayOf("web", http("a", "")),
		route(shop, "r", nil, rule("/", to(shop), missing), rule("/b", to(shop), to(other))),
		route(other, "not-admitted", nil, rule("/", to(other)))))
	if got, want := fmt.Sprint(result.Services), "[other/books shop/books shop/missing]"; got != want {
		t.Errorf("Services %s, want %s", got, want)
	}
}
