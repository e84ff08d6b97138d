package scope_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestPeerAnswersAShare checks the destinations of a client of a Service with pods of which a peer answers a fifth of the requests, and their endpoints: those of
// this mesh, a semicolon, and the ways to the peer.
func TestPeerAnswersAShare(t *testing.T) {
	server := Pod("a", "three", "three", "three", "10.0.1.3")
	own := Service("a", "three", "three", "10.96.0.10", 80, inventory.ProtocolHTTP)
	headless := Service("a", "three", "three", "", 80, inventory.ProtocolHTTP)
	headless.ClusterIPs = nil
	spread := &catalog.ServiceImport{Name: own.Name, Peer: "east", Joined: true, Share: 20}
	target := Target("three", server.Identity(), []catalog.TargetRule{HTTP("routes")}, SA("a", "two"))
	notReady := ImportOf("east", own.Name, 80, SA("shop", "cart"), SA("a", "two"))[1].(*catalog.PeerService)
	notReady.Ports[0].Ready = false
	longName := Peer("east", strings.Repeat("a", 60)+"."+strings.Repeat("b", 60)+"."+strings.Repeat("c", 60)+"."+strings.Repeat("d", 40))
	split := func(weight uint32) *catalog.TrafficSplit {
		return &catalog.TrafficSplit{Name: Name("a", "split"), Root: Name("a", "one"), Backends: []catalog.SplitBackend{
			{Service: own.Name, Weight: weight}, {Service: Name("a", "one"), Weight: 1},
		}}
	}
	for name, test := range map[string]struct {
		entries  []catalog.Entry
		service  string
		backends string
		// cluster and ofPeer are the endpoints of both clusters; empty without the cluster.
		cluster, ofPeer string
	}{
		"both":                 {[]catalog.Entry{spread, target}, "three", "[{a/three|80 8000 <nil>} {a/three|80|peer 2000 <nil>}]", "1;1", "1;1"},
		"the peer is away":     {[]catalog.Entry{spread, target, notReady}, "three", "[{a/three|80 8000 <nil>} {a/three|80|peer 2000 <nil>}]", "1;0", "1;0"},
		"no pod of this mesh":  {[]catalog.Entry{spread, target, Slice(own.Name)}, "three", "[{a/three|80 8000 <nil>} {a/three|80|peer 2000 <nil>}]", "0;1", "0;1"},
		"only the peer admits": {[]catalog.Entry{spread}, "three", "[{a/three|80 100 <nil>}]", "1;0", ""},
		"only this mesh admits": {
			append(ImportOf("east", own.Name, 80, SA("shop", "cart"), SA("a", "other")), spread, target), "three", "[{a/three|80 100 <nil>}]", "1;0", "",
		},
		"a failover":               {[]catalog.Entry{&catalog.ServiceImport{Name: own.Name, Peer: "east", Joined: true}, target}, "three", "[{a/three|80 100 <nil>}]", "1;1", ""},
		"not accepted":             {[]catalog.Entry{spread, target, Peer("east", trustDomain)}, "three", "[{a/three|80 8000 <nil>} {a/three|80|peer 2000 <nil>}]", "1;0", "1;0"},
		"a server name too long":   {[]catalog.Entry{spread, target, longName}, "three", "[{a/three|80 8000 <nil>} {a/three|80|peer 2000 <nil>}]", "1;0", "1;0"},
		"a backend of a split":     {[]catalog.Entry{spread, target, split(3)}, "one", "[{a/three|80 240 <nil>} {a/three|80|peer 60 <nil>} {a/one|80 100 <nil>}]", "1;1", "1;1"},
		"a large weight":           {[]catalog.Entry{spread, target, split(math.MaxUint32)}, "one", "[{a/three|80 3401954293 <nil>} {a/three|80|peer 850488573 <nil>} {a/one|80 1 <nil>}]", "1;1", "1;1"},
		"clients choose their pod": {[]catalog.Entry{spread, target, headless}, "three", "[{a/three|80 100 <nil>}]", "1;1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := Apply(append(append(importing(), server, own, Slice(own.Name, server)), test.entries...)...)
			s := scope.Build(c.View(), trustDomain, scope.KeyOfServices(SA("a", "two"), nil))
			for _, out := range s.Outbound {
				if got := fmt.Sprint(out.Backends); out.Service.Name == test.service && got != test.backends {
					t.Errorf("the backends are %s, want %s", got, test.backends)
				}
			}
			got := endpointsOf(c.View(), s, own.Name)
			if got["a/three|80"] != test.cluster || got["a/three|80|peer"] != test.ofPeer {
				t.Errorf("the endpoints are %v, want %q and %q", got, test.cluster, test.ofPeer)
			}
		})
	}
}

// TestOldSidecarsHaveNoShares checks that all requests of sidecars of Open Service Mesh stay in this mesh: they cannot connect to a peer.
func TestOldSidecarsHaveNoShares(t *testing.T) {
	server := Pod("a", "three", "three", "three", "10.0.1.3")
	own := Service("a", "three", "three", "10.96.0.10", 80, inventory.ProtocolHTTP)
	spread := &catalog.ServiceImport{Name: own.Name, Peer: "east", Joined: true, Share: 20}
	target := Target("three", server.Identity(), []catalog.TargetRule{HTTP("routes")}, SA("a", "two"))
	c := Apply(append(importing(), server, own, Slice(own.Name, server), spread, target)...)
	key := scope.KeyOfServices(SA("a", "two"), nil)
	key.Class.OSM = true
	got := endpointsOf(c.View(), scope.Build(c.View(), trustDomain, key), own.Name)
	if got["a/three|80"] != "1;0" || got["a/three|80|peer"] != "1;0" {
		t.Errorf("the endpoints are %v", got)
	}
}

// endpointsOf counts the endpoints of the clusters of a Service.
func endpointsOf(v *catalog.View, s *scope.Scope, service entity.Name) map[string]string {
	counts := map[string]string{}
	for _, cluster := range s.Clusters {
		if cluster.Service == service {
			endpoints := scope.BuildEndpoints(v, cluster.Endpoints)
			counts[cluster.Name()] = fmt.Sprintf("%d;%d", len(endpoints.Addresses), len(endpoints.StandIns))
		}
	}
	return counts
}
