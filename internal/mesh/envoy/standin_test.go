package envoy_test

import (
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// TestGatewaysRepeatAtStandIns checks that an ingress gateway repeats requests in the other mesh, as sidecars do.
func TestGatewaysRepeatAtStandIns(t *testing.T) {
	books := identity.ServiceAccount{Namespace: "shop", Name: "books"}
	for _, joined := range []bool{false, true} {
		c := scope.Cluster{Service: entity.Name(books), TargetPort: 80, Protocol: "http", Identities: []identity.ServiceAccount{books}}
		if joined {
			c.StandIn = &scope.PeerDestination{Peer: "east", Port: 80}
		}
		route := scope.HTTPRoute{Match: catalog.RouteMatch{PathType: "PathPrefix", Path: "/"}, Backends: []scope.Backend{{Cluster: c.Name(), Weight: 1}}}
		s := &scope.Scope{
			Common: scope.Common{Key: scope.Key{Proxy: scope.ProxyIngressGateway}, TrustDomain: "cluster.local", Clusters: []scope.Cluster{c}},
			IngressGateway: &scope.IngressGateway{Listeners: []scope.GatewayListener{{
				Name: "shop/web/any", Port: 80, Bind: 10080, Hosts: []scope.GatewayHost{{Domain: "*", Routes: []scope.HTTPRoute{route}}},
			}}},
		}
		forwarded := 0
		for _, r := range envoy.Build(s) {
			config, _ := r.Message.(*routev3.RouteConfiguration)
			for _, host := range config.GetVirtualHosts() {
				for _, route := range host.GetRoutes() {
					if policy := route.GetRoute().GetRetryPolicy(); policy != nil {
						forwarded++
						if repeats := policy.GetRetryPriority() != nil; repeats != joined {
							t.Errorf("joined: %t, and repeats elsewhere: %t", joined, repeats)
						}
					}
				}
			}
		}
		if forwarded == 0 {
			t.Error("no route has retries")
		}
	}
}
