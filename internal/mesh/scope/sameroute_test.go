package scope_test

import (
	"reflect"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestRoutesOfUnchangedPoliciesAreTheSame checks that a rebuilt scope has the same route if neither its policy nor its backends changed, and that every other
// difference is seen.
func TestRoutesOfUnchangedPoliciesAreTheSame(t *testing.T) {
	pod := Pod("a", "server", "server", "server", "10.0.0.1")
	service := Service("a", "server", "server", "172.0.0.1", 80, inventory.ProtocolHTTP)
	route := func(path string, weight uint32) *catalog.HTTPRoute {
		return &catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Name: Name("a", "route"), Parents: []catalog.RouteParent{{Service: service.Name}}, Rules: []catalog.HTTPRouteRule{{
			Matches:  []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: path}},
			Backends: []catalog.RouteBackend{{Service: service.Name, Port: 80, Weight: weight}, {Service: Name("a", "other"), Port: 80, Weight: 1}},
		}}}
	}
	build := func(entries ...catalog.Entry) *scope.HTTPRoute {
		view := Apply(append(entries, &catalog.Settings{Permissive: true}, &catalog.Namespace{Name: "a", Monitored: true}, pod, service, Slice(service.Name, pod))...).View()
		outbound := scope.Build(view, trustDomain, scope.Key{Identity: pod.Identity()}).Outbound
		return &outbound[len(outbound)-1].HTTPRoutes[0] // sorted by Service
	}
	unchanged := route("/a", 1)
	first := build(unchanged)
	if second := build(unchanged); !first.IsSame(second) || !reflect.DeepEqual(first, second) {
		t.Error("a route of an unchanged policy is not the same")
	}
	other := Pod("a", "other", "other", "other", "10.0.0.2")
	otherService := Service("a", "other", "other", "172.0.0.2", 80, inventory.ProtocolHTTP)
	for name, changed := range map[string]*scope.HTTPRoute{
		"another path": build(route("/b", 1)), "another weight": build(route("/a", 2)),
		"a backend that exists now": build(unchanged, other, otherService, Slice(otherService.Name, other)),
	} {
		if first.IsSame(changed) || reflect.DeepEqual(first, changed) {
			t.Errorf("%s: the route is taken for the same", name)
		}
	}
}
