package scope_test

import (
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// TestVersionsOfHTTP checks that the Service and the kind of a route decide about the version of HTTP, and that one port can be needed in both.
func TestVersionsOfHTTP(t *testing.T) {
	in := func(name string) entity.Name { return entity.Name{Namespace: "shop", Name: name} }
	to := func(kind entity.Kind, name string, filters catalog.RouteFilters) *catalog.HTTPRoute {
		return &catalog.HTTPRoute{Kind: kind, Name: in(name), Parents: []catalog.RouteParent{{Gateway: in("web")}}, Rules: []catalog.HTTPRouteRule{{
			Matches: []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/" + name}}, Filters: filters, Backends: []catalog.RouteBackend{{Service: in(name), Port: 80, Weight: 1}},
		}}}
	}
	mirror := catalog.RouteFilters{Mirrors: []catalog.RouteMirror{{Backend: catalog.RouteBackend{Service: in("v2"), Port: 80}, Numerator: 1, Denominator: 1}}}
	c := gatewayMesh(&catalog.Settings{Namespace: "osm-system", Permissive: true},
		to(entity.KindHTTPRoute, "v1", mirror), to(entity.KindGRPCRoute, "v1", catalog.RouteFilters{}), to(entity.KindHTTPRoute, "r", catalog.RouteFilters{}))
	c.Apply([]catalog.Change{catalog.Set(&inventory.Service{
		Name: in("v2"), Selector: map[string]string{"app": "v2"}, Ports: []inventory.Port{{Number: 80, TargetPort: 8080, Protocol: inventory.ProtocolHTTP, HTTP2: true}},
	})})
	s := gatewayScope(c)
	var clusters []string
	for _, cluster := range s.Clusters {
		clusters = append(clusters, cluster.Name()+" "+string(cluster.HTTP))
		if cluster.Endpoints.ClusterName() != cluster.Name() {
			t.Errorf("cluster %s has the endpoints of %s", cluster.Name(), cluster.Endpoints.ClusterName())
		}
	}
	if got, want := strings.Join(clusters, ", "), "shop/v1|8080 http/1.1, shop/v1|8080|h2 h2, shop/v2|8080|h2 h2"; got != want {
		t.Errorf("clusters %s, want %s", got, want)
	}
	for _, r := range s.IngressGateway.Listeners[0].Hosts[0].Routes {
		for _, m := range r.Mirrors {
			if m.Cluster != "shop/v2|8080|h2" {
				t.Errorf("copies of requests go to %s", m.Cluster)
			}
		}
	}
	sidecar := scope.Build(c.View(), "cluster.local", scope.Key{Identity: identity.ServiceAccount{Namespace: "shop", Name: "buyer"}})
	for _, cluster := range sidecar.Clusters {
		if cluster.HTTP != "" {
			t.Errorf("a sidecar forwards to %s with %s, want the version of the client", cluster.Name(), cluster.HTTP)
		}
	}
}
