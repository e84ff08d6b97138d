package scope

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestBackendsOfRoutes checks the backends of rules of one port, what cannot be used of them, copies, and what the routes count.
func TestBackendsOfRoutes(t *testing.T) {
	pod, service := meshtest.Pod("a", "web", "web", "web", "10.0.0.1"), meshtest.Service("a", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	prefix := func(path string) []catalog.RouteMatch {
		return []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: path}}
	}
	web, none := catalog.RouteBackend{Service: service.Name, Port: 80, Weight: 3}, catalog.RouteBackend{Service: meshtest.Name("a", "none"), Port: 80, Weight: 2}
	mirrors := catalog.RouteFilters{Mirrors: []catalog.RouteMirror{{Backend: web, Numerator: 1, Denominator: 2}, {Backend: none, Numerator: 1, Denominator: 2}}}
	route := &catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Name: meshtest.Name("a", "r"), Parents: []catalog.RouteParent{{Service: service.Name}}, Rules: []catalog.HTTPRouteRule{
		{Matches: prefix("/a"), Backends: []catalog.RouteBackend{web}},
		{Matches: prefix("/b"), Backends: []catalog.RouteBackend{web, none}},
		{Matches: prefix("/c"), Backends: []catalog.RouteBackend{web}, Filters: mirrors},
		{Matches: prefix("/" + strings.Repeat("d", 4000)), Backends: []catalog.RouteBackend{web}},
	}}
	v := meshtest.Apply(&catalog.Settings{Permissive: true}, &catalog.Namespace{Name: "a", Monitored: true}, pod, service, meshtest.Slice(service.Name, pod), route).View()
	outbound := Build(v, "cluster.local", Key{Identity: pod.Identity()}).Outbound
	got := map[string]string{}
	for _, r := range outbound[0].HTTPRoutes {
		got[r.Match.Path[:2]] = fmt.Sprintf("%s %d %v", strings.ReplaceAll(fmt.Sprint(r.Backends), " <nil>", ""), r.Weight, r.Mirrors)
	}
	want := map[string]string{
		"/a": "[{a/web|80 3}] 1 []", "/b": "[{a/web|80 3} { 2}] 1 []", "/c": "[{a/web|80 3}] 1 [{a/web|80 1 2}]", "/d": "[{a/web|80 3}] 16 []",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
