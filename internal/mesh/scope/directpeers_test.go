package scope_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestDirectPeers checks to which gateways the sidecar of a client connects.
func TestDirectPeers(t *testing.T) {
	direct := func(gateways ...catalog.Server) *catalog.Peer {
		peer := Peer("east", "east.example")
		peer.Direct, peer.Gateways = true, gateways
		return peer
	}
	named := catalog.Server{Host: "east.example.com", Port: 15443}
	notReady := ImportOf("east", Name("a", "three"), 80, SA("shop", "cart"), SA("a", "two"))[1].(*catalog.PeerService)
	notReady.Ports[0].Ready = false
	server := Pod("a", "three", "three", "three", "10.0.1.3")
	own := Service("a", "three", "three", "10.96.0.10", 80, inventory.ProtocolHTTP)
	joined := []catalog.Entry{
		server, own, Slice(own.Name, server), &catalog.ServiceImport{Name: own.Name, Peer: "east", Joined: true},
		Target("three", server.Identity(), []catalog.TargetRule{HTTP("routes")}, SA("a", "two")),
	}
	for name, test := range map[string]struct {
		entries []catalog.Entry
		// gateway is what the sidecar looks up, and endpoints are what the control plane sends.
		gateway   catalog.Server
		endpoints string
	}{
		"through the own gateway": {[]catalog.Entry{Peer("east", "east.example")}, catalog.Server{}, "[10.96.9.1:15444]"},
		"addresses":               {[]catalog.Entry{direct(catalog.Server{Host: "192.0.2.9", Port: 2}, catalog.Server{Host: "192.0.2.7", Port: 1})}, catalog.Server{}, "[192.0.2.7:1 192.0.2.9:2]"},
		"two families":            {[]catalog.Entry{direct(catalog.Server{Host: "2001:db8::1", Port: 1}, catalog.Server{Host: "192.0.2.7", Port: 1})}, catalog.Server{}, "[[2001:db8::1]:1]"},
		"an address, not ready":   {[]catalog.Entry{direct(catalog.Server{Host: "192.0.2.9", Port: 2}), notReady}, catalog.Server{}, "[]"},
		"a name":                  {[]catalog.Entry{direct(named)}, named, "none"},
		"a name, not ready":       {[]catalog.Entry{direct(named), notReady}, catalog.Server{}, "[]"},
		"joined, by addresses":    {append([]catalog.Entry{direct(catalog.Server{Host: "192.0.2.9", Port: 2})}, joined...), catalog.Server{}, "[10.0.1.3:80] [192.0.2.9:2]"},
		"joined, by a name":       {append([]catalog.Entry{direct(named)}, joined...), catalog.Server{}, "[10.0.1.3:80] [10.96.9.1:15444]"},
	} {
		t.Run(name, func(t *testing.T) {
			c := Apply(append(importing(), test.entries...)...)
			s := scope.Build(c.View(), trustDomain, scope.KeyOfServices(SA("a", "two"), nil))
			cluster := s.Clusters[slices.IndexFunc(s.Clusters, func(c scope.Cluster) bool { return c.Service == own.Name })]
			endpoints, got := scope.BuildEndpoints(c.View(), cluster.Endpoints), "none"
			if cluster.HasEndpoints() {
				got = fmt.Sprint(endpoints.Addresses)
			}
			if len(endpoints.StandIns) > 0 {
				got += fmt.Sprint(" ", endpoints.StandIns)
			}
			if got != test.endpoints {
				t.Errorf("the endpoints are %s, want %s", got, test.endpoints)
			}
			if cluster.Peer != nil && cluster.Peer.Gateway != test.gateway || cluster.Peer == nil && test.gateway.Host != "" {
				t.Errorf("the sidecar looks up %+v", cluster.Peer)
			}
			i := slices.IndexFunc(s.Outbound, func(o scope.Outbound) bool { return o.Service == own.Name })
			if s.Outbound[i].LookedUp != (test.gateway.Host != "") {
				t.Errorf("the destination is looked up: %t", s.Outbound[i].LookedUp)
			}
		})
	}
}

// TestLookedUpGatewaysAreNotLoadedOnDemand checks that the cluster of a destination without endpoints is not one for which sidecars wait for endpoints.
func TestLookedUpGatewaysAreNotLoadedOnDemand(t *testing.T) {
	for _, isDirect := range []bool{false, true} {
		peer := Peer("east", "east.example")
		peer.Direct = isDirect
		c := Apply(append(importing(), peer, &catalog.ServiceCIDR{Name: "services", Ranges: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12")}})...)
		key := scope.KeyOfServices(SA("a", "two"), nil)
		key.Class.OnDemand = true
		s := scope.Build(c.View(), trustDomain, key)
		i := slices.IndexFunc(s.Clusters, func(c scope.Cluster) bool { return c.Service == Name("a", "three") })
		if s.Clusters[i].Destination.IsValid() == isDirect {
			t.Errorf("direct: %t, the cluster is %s", isDirect, s.Clusters[i].Name())
		}
	}
}
