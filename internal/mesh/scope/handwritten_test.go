package scope_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestHandwrittenEndpoints checks both sides of a Service without a selector: its client expects the identity of the pod with the address, at the port
// of the EndpointSlice, and the sidecar of the pod accepts this client there.
func TestHandwrittenEndpoints(t *testing.T) {
	for _, clusterIP := range []string{"10.96.0.1", ""} {
		client, pod, other := Pod("front", "till", "till", "till", "10.0.0.9"), Pod("shop", "web-0", "web", "web", "10.0.0.1"), Pod("shop", "db-0", "db", "db", "10.0.0.2")
		service := Service("shop", "web", "", clusterIP, 80, inventory.ProtocolHTTP)
		service.Selector, service.Ports[0].Name = nil, "http"
		slice := &inventory.EndpointSlice{Name: Name("shop", "by-hand"), Service: service.Name, Ports: map[string]uint16{"http": 8080}}
		for _, address := range []string{"10.0.0.1", "10.0.0.9", "192.0.2.1"} {
			slice.Endpoints = append(slice.Endpoints, inventory.Endpoint{Address: netip.MustParseAddr(address), Ready: true})
		}
		v := Apply(
			&catalog.Namespace{Name: "front", Monitored: true}, &catalog.Namespace{Name: "shop", Monitored: true}, client, pod, other, service, slice,
			Group("shop", "all", "/.*"), Target("in", pod.Identity(), []catalog.TargetRule{HTTP("all")}, client.Identity()),
		).View()
		build := func(pod *inventory.Instance) *scope.Scope {
			return scope.BuildWithShared(v, identity.OneTrustDomain(trustDomain), scope.KeyFor(v, pod), nil)
		}
		clients := build(client)
		if len(clients.Clusters) != 1 {
			t.Fatalf("the client has the clusters %+v", clients.Clusters)
		}
		c := clients.Clusters[0]
		if got, want := fmt.Sprint(c.Name(), c.Identities, scope.BuildEndpoints(v, c.Endpoints).Addresses), "shop/web|8080[shop/web] [10.0.0.1:8080]"; got != want {
			t.Errorf("the client calls %s, want %s", got, want)
		}
		servers := build(pod).Inbound
		if len(servers) != 1 || servers[0].Service != service.Name || servers[0].TargetPort != 8080 || len(servers[0].Rules.Routes) != 1 {
			t.Errorf("the pod accepts %+v", servers)
		}
		for _, outside := range []*inventory.Instance{client, other} {
			if got := build(outside).Inbound; len(got) > 0 {
				t.Errorf("pod %s accepts %+v", outside.Name, got)
			}
		}
	}
}
