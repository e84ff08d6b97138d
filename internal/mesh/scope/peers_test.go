package scope_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// withPeers returns a mesh with a peer gateway, a peer, and a Service that it exports and that admits an account of the peer.
func withPeers() []catalog.Entry {
	server := Pod("a", "one", "one", "one", "10.0.1.1")
	service := Service("a", "one", "one", "10.96.0.9", 80, inventory.ProtocolHTTP)
	target := Target("server", server.Identity(), []catalog.TargetRule{HTTP("routes")}, SA("a", "two"))
	target.PeerSources = []identity.PeerAccount{{Peer: "east", Namespace: "shop", Name: "client"}}
	return []catalog.Entry{
		&catalog.Settings{Namespace: "osm-system"}, &catalog.Namespace{Name: "a", Monitored: true}, &catalog.Namespace{Name: "b", Monitored: true},
		Pod("a", "two", "two", "two", "10.0.1.2"), server, service, Slice(service.Name, server), Group("a", "routes", "/x"), target,
		PeerGatewayOf("osm-system"), LeavingService("osm-system", "10.96.9.1"), Peer("east", "east.example"), &catalog.ServiceExport{Name: service.Name, Peer: "east"},
	}
}

// importing adds a Service of the peer, which it exports to one client.
func importing() []catalog.Entry {
	cart := Service("a", "three", "", "10.96.0.10", 80, inventory.ProtocolHTTP)
	cart.Selector = nil
	return slices.Concat(withPeers(), []catalog.Entry{cart}, ImportOf("east", cart.Name, 80, SA("shop", "cart"), SA("a", "two")))
}

// TestUnaffectedScopesOfPeersDoNotChange checks that edits of peers affect what they change.
func TestUnaffectedScopesOfPeersDoNotChange(t *testing.T) {
	used := 0
	rapid.Check(t, func(t *rapid.T) {
		c := Apply(importing()...)
		c.Apply(rapid.SliceOfN(PeerChange(), 0, 15).Draw(t, "start"))
		for range 10 {
			before := buildWithGateway(c)
			affected := map[entity.Dep]bool{}
			for _, dep := range c.Apply(rapid.SliceOfN(PeerChange(), 1, 2).Draw(t, "edit")) {
				affected[dep] = true
			}
			after := buildWithGateway(c)
			checkUnaffected(t, before, after, affected)
			used += countPeers(after)
		}
	})
	if used == 0 {
		t.Error("no scope has a peer")
	}
}

// buildWithGateway is buildAll with the peer gateway.
func buildWithGateway(c *catalog.Catalog) map[string]built {
	all := buildAll(c)
	v := c.View()
	s := scope.Build(v, trustDomain, scope.Key{Identity: PeerGatewayOf("osm-system").Identity(), Proxy: scope.ProxyPeerGateway})
	all["peer gateway"] = built{s, v.Deps()}
	for _, cluster := range s.Clusters {
		v = c.View()
		all[fmt.Sprintf("endpoints %+v", cluster.Endpoints)] = built{scope.BuildEndpoints(v, cluster.Endpoints), v.Deps()}
	}
	return all
}

func countPeers(all map[string]built) int {
	count := 0
	for _, b := range all {
		if s, ok := b.value.(*scope.Scope); ok {
			count += len(s.Peers)
		}
	}
	return count
}

// TestPeersHaveOnlyWhatBothSidesDeclared checks each admitted client of a peer, and each Service of one, against the declarations.
func TestPeersHaveOnlyWhatBothSidesDeclared(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Apply(importing()...)
		c.Apply(rapid.SliceOfN(PeerChange(), 0, 40).Draw(t, "changes"))
		for name, b := range buildWithGateway(c) {
			s, ok := b.value.(*scope.Scope)
			if !ok {
				continue
			}
			for _, peer := range s.Peers {
				if identity.SharesNames(peer.TrustDomain, trustDomain) {
					t.Fatalf("%s trusts the peer %s with the trust domain %s", name, peer.Name, peer.TrustDomain)
				}
			}
			checkInbound(t, c.View(), s)
			checkImports(t, c.View(), s)
		}
	})
}

func checkInbound(t *rapid.T, v *catalog.View, s *scope.Scope) {
	for _, in := range s.Inbound {
		for _, peer := range in.Peers {
			export := v.Export(in.Service)
			if export == nil || !export.Includes(peer.Peer) || v.Peer(peer.Peer) == nil {
				t.Fatalf("%v of %s admits the peer %s, to which it is not exported", s.Key, in.Service, peer.Peer)
			}
			for _, account := range peer.Accounts() {
				granted := slices.ContainsFunc(v.TargetsTo(s.Key.Identity), func(target *catalog.TrafficTarget) bool { return slices.Contains(target.PeerSources, account) })
				if !granted || account.Peer != peer.Peer {
					t.Fatalf("%v of %s admits %s", s.Key, in.Service, account)
				}
			}
		}
	}
}

func checkImports(t *rapid.T, v *catalog.View, s *scope.Scope) {
	for _, cluster := range s.Clusters {
		if cluster.Peer == nil {
			continue
		}
		described := v.Imported(v.Service(cluster.Service))
		if described == nil || described.Peer != cluster.Peer.Peer {
			t.Fatalf("%v has the Service %s of the peer %s without an import", s.Key, cluster.Service, cluster.Peer.Peer)
		}
		if s.Key.Proxy != scope.ProxySidecar || isTargetOfPolicies(s, cluster.Name()) {
			continue
		}
		if port, _ := described.Port(cluster.Peer.Port); !slices.Contains(port.Clients, s.Key.Identity) {
			t.Fatalf("%v has a port of %s, whose peer does not admit it", s.Key, cluster.Service)
		}
	}
}

// isTargetOfPolicies reports whether a split or a route has a cluster among others: then it keeps its share, which the peer denies.
func isTargetOfPolicies(s *scope.Scope, cluster string) bool {
	return slices.ContainsFunc(s.Outbound, func(o scope.Outbound) bool {
		return o.Routed || len(o.Routes) > 0 || !strings.HasPrefix(cluster, o.Service.String()+"|") && slices.ContainsFunc(o.Backends, func(b scope.Backend) bool { return b.Cluster == cluster })
	})
}

// TestPeerInbound checks which clients of peers a sidecar admits.
func TestPeerInbound(t *testing.T) {
	for name, test := range map[string]struct {
		change catalog.Change
		want   int
	}{
		"declared":                      {catalog.Set(Peer("east", "east.example")), 1},
		"exported to any":               {catalog.Set(&catalog.ServiceExport{Name: Name("a", "one"), Any: true}), 1},
		"exported to another":           {catalog.Set(&catalog.ServiceExport{Name: Name("a", "one"), Peer: "west"}), 0},
		"not exported":                  {catalog.Change{Ref: entity.KindServiceExport.Ref(Name("a", "one"))}, 0},
		"no peer":                       {catalog.Change{Ref: entity.KindMeshPeer.Ref(Name("", "east"))}, 0},
		"the trust domain of this mesh": {catalog.Set(Peer("east", trustDomain)), 0},
		"a subdomain":                   {catalog.Set(Peer("east", "east."+trustDomain)), 0},
		"a domain above":                {catalog.Set(Peer("east", "local")), 0},
		"permissive":                    {catalog.Set(&catalog.Settings{Namespace: "osm-system", Permissive: true}), 1},
		"permissive, not granted":       {catalog.Set(Target("server", SA("a", "one"), []catalog.TargetRule{HTTP("routes")}, SA("a", "two"))), 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := Apply(withPeers()...)
			c.Apply([]catalog.Change{test.change})
			s := scope.Build(c.View(), trustDomain, scope.KeyOfServices(SA("a", "one"), []entity.Name{Name("a", "one")}))
			accounts := 0
			for _, peer := range s.Inbound[0].Peers {
				accounts += len(peer.Accounts())
			}
			if accounts != test.want || len(s.Peers) != len(s.Inbound[0].Peers) {
				t.Fatalf("%d accounts of %d peers, %d of them known; want %d", accounts, len(s.Inbound[0].Peers), len(s.Peers), test.want)
			}
			if test.want > 0 {
				want := []identity.PeerAccount{{Peer: "east", Namespace: "shop", Name: "client"}}
				if diff := cmp.Diff(want, s.Inbound[0].Peers[0].Accounts()); diff != "" || !slices.Equal(s.Inbound[0].Peers[0].Ports, []uint16{80}) {
					t.Errorf("ports %v, accounts (-want +got):\n%s", s.Inbound[0].Peers[0].Ports, diff)
				}
			}
		})
	}
}

// TestImportedDestination checks what the sidecar of a client has of a Service of a peer.
func TestImportedDestination(t *testing.T) {
	notReady := ImportOf("east", Name("a", "three"), 80, SA("shop", "cart"), SA("a", "two"))[1].(*catalog.PeerService)
	notReady.Ports[0].Ready = false
	own := Service("a", "three", "three", "10.96.0.10", 80, inventory.ProtocolHTTP)
	noPod := ImportOf("east", Name("a", "three"), 80, SA("shop", "cart"), SA("a", "two"))[1].(*catalog.PeerService)
	noPod.Ports[0].Ready, noPod.Ports[0].Servers = false, nil
	for name, test := range map[string]struct {
		change   catalog.Change
		client   string
		clusters int
		address  string
	}{
		"admitted":                        {catalog.Set(Peer("east", "east.example")), "two", 1, "10.96.9.1:15444"},
		"not admitted":                    {catalog.Set(Peer("east", "east.example")), "one", 0, ""},
		"not ready":                       {catalog.Set(notReady), "two", 1, ""},
		"no pod":                          {catalog.Set(noPod), "two", 1, ""},
		"no gateway":                      {catalog.Change{Ref: entity.KindService.Ref(Name("osm-system", "osm-peer-leaving"))}, "two", 1, ""},
		"no consent":                      {catalog.Change{Ref: entity.KindServiceImport.Ref(Name("a", "three"))}, "two", 0, ""},
		"consent to another":              {catalog.Set(&catalog.ServiceImport{Name: Name("a", "three"), Peer: "west"}), "two", 0, ""},
		"a Service with pods of its own":  {catalog.Set(own), "two", 0, ""},
		"not exported":                    {catalog.Change{Ref: notReady.Ref()}, "two", 0, ""},
		"no peer":                         {catalog.Change{Ref: entity.KindMeshPeer.Ref(Name("", "east"))}, "two", 0, ""},
		"a peer with the names of others": {catalog.Set(Peer("east", "x."+trustDomain)), "two", 0, ""},
		"permissive":                      {catalog.Set(&catalog.Settings{Namespace: "osm-system", Permissive: true}), "one", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := Apply(importing()...)
			c.Apply([]catalog.Change{test.change})
			s := scope.Build(c.View(), trustDomain, scope.KeyOfServices(SA("a", test.client), nil))
			clusters := slices.DeleteFunc(slices.Clone(s.Clusters), func(c scope.Cluster) bool { return c.Peer == nil })
			if len(clusters) != test.clusters {
				t.Fatalf("the client has %d clusters of peers, want %d: %+v", len(clusters), test.clusters, s.Clusters)
			}
			if test.clusters == 0 {
				return
			}
			want := scope.PeerDestination{Peer: "east", Port: 80, Servers: []identity.PeerAccount{{Peer: "east", Namespace: "shop", Name: "cart"}}}
			if test.change.Entry == catalog.Entry(noPod) {
				want.Servers = nil
			}
			if diff := cmp.Diff(want, *clusters[0].Peer); diff != "" {
				t.Error(diff)
			}
			i := slices.IndexFunc(s.Outbound, func(o scope.Outbound) bool { return o.Service == own.Name })
			if !s.Outbound[i].Imported || slices.ContainsFunc(s.Outbound, func(o scope.Outbound) bool { return o.Imported && o.Service != own.Name }) {
				t.Errorf("other Services than %s are imported", own.Name)
			}
			var addresses []string
			for _, address := range scope.BuildEndpoints(c.View(), clusters[0].Endpoints).Addresses {
				addresses = append(addresses, address.String())
			}
			if strings.Join(addresses, " ") != test.address {
				t.Errorf("the endpoints are %v, want %q", addresses, test.address)
			}
		})
	}
}

// TestStandIn checks when a Service of a peer stands in for one with pods.
func TestStandIn(t *testing.T) {
	server := Pod("a", "three", "three", "three", "10.0.1.3")
	own := Service("a", "three", "three", "10.96.0.10", 80, inventory.ProtocolHTTP)
	failover := &catalog.ServiceImport{Name: own.Name, Peer: "east", Joined: true}
	target := Target("three", server.Identity(), []catalog.TargetRule{HTTP("routes")}, SA("a", "two"))
	notReady := ImportOf("east", own.Name, 80, SA("shop", "cart"), SA("a", "two"))[1].(*catalog.PeerService)
	notReady.Ports[0].Ready = false
	for name, test := range map[string]struct {
		entries []catalog.Entry
		// local and peer are how many endpoints of this mesh, and ways to the peer, the client has.
		local, peer int
		alone       bool
	}{
		"declared":           {[]catalog.Entry{failover, target}, 1, 1, false},
		"not declared":       {[]catalog.Entry{target}, 1, 0, false},
		"only the peer":      {[]catalog.Entry{failover}, 0, 1, true},
		"the peer is away":   {[]catalog.Entry{failover, target, notReady}, 1, 0, false},
		"of another peer":    {[]catalog.Entry{&catalog.ServiceImport{Name: own.Name, Peer: "west", Joined: true}, target}, 1, 0, false},
		"this mesh's domain": {[]catalog.Entry{failover, target, Peer("east", trustDomain)}, 1, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := Apply(append(append(importing(), server, own, Slice(own.Name, server)), test.entries...)...)
			s := scope.Build(c.View(), trustDomain, scope.KeyOfServices(SA("a", "two"), nil))
			i := slices.IndexFunc(s.Clusters, func(c scope.Cluster) bool { return c.Service == own.Name })
			if i < 0 {
				t.Fatalf("the client has no cluster: %+v", s.Clusters)
			}
			endpoints := scope.BuildEndpoints(c.View(), s.Clusters[i].Endpoints)
			local, peer := len(endpoints.Addresses), len(endpoints.StandIns)
			if s.Clusters[i].Peer != nil {
				local, peer = 0, local
			}
			if local != test.local || peer != test.peer || (s.Clusters[i].Peer != nil) != test.alone {
				t.Errorf("%d endpoints and %d ways to the peer, want %d and %d: %+v", local, peer, test.local, test.peer, s.Clusters[i])
			}
			if knows := s.Clusters[i].StandIn != nil; knows != (len(s.Peers) == 1 && !test.alone) {
				t.Errorf("the stand-in has the peers %+v", s.Peers)
			}
		})
	}
}

// TestClientsOfPeersHaveOwnDestinations checks that a client of a Service of a peer does not have the destinations that all clients of a permissive mesh share.
func TestClientsOfPeersHaveOwnDestinations(t *testing.T) {
	c := Apply(importing()...)
	c.Apply([]catalog.Change{catalog.Set(&catalog.Settings{Namespace: "osm-system", Permissive: true})})
	if scope.UsesSharedDestinations(c.View(), SA("a", "two")) || !scope.UsesSharedDestinations(c.View(), SA("a", "other")) {
		t.Error("the wrong clients share destinations")
	}
}

// TestPeerGateway checks the ways of a peer gateway.
func TestPeerGateway(t *testing.T) {
	c := Apply(importing()...)
	c.Apply([]catalog.Change{catalog.Set(&catalog.ServiceExport{Name: Name("a", "three"), Any: true})}) // nobody is granted anything on it
	s := scope.Build(c.View(), trustDomain, scope.KeyFor(c.View(), PeerGatewayOf("osm-system")))
	want := &scope.PeerGateway{
		Exports:   []scope.PeerExport{{Peer: "east", Service: Name("a", "one"), Port: 80, Cluster: "a/one|80"}},
		Peers:     []scope.PeerWay{{Peer: "east", Gateways: []catalog.Server{{Host: "east.example.com", Port: 15443}}}},
		Discovery: catalog.Server{Host: "osm-controller.osm-system.svc.cluster.local", Port: 15129},
	}
	if diff := cmp.Diff(want, s.PeerGateway); diff != "" {
		t.Errorf("the gateway (-want +got):\n%s", diff)
	}
	if len(s.Clusters) != 1 || !s.Clusters[0].Plain || len(s.Inbound) > 0 || len(s.Outbound) > 0 {
		t.Errorf("the gateway has %d inbound and %d outbound ports, and the clusters %+v", len(s.Inbound), len(s.Outbound), s.Clusters)
	}
	if got := scope.BuildEndpoints(c.View(), s.Clusters[0].Endpoints).Addresses; !slices.Equal(got, []netip.AddrPort{netip.MustParseAddrPort("10.0.1.1:80")}) {
		t.Errorf("it forwards to %v", got)
	}
}

// TestPeerGatewayWithoutPods checks that the gateway keeps its chains while a Service has no pod, except for named ports, which have no number then.
func TestPeerGatewayWithoutPods(t *testing.T) {
	for name, want := range map[string]int{"": 1, "web": 0} {
		c := Apply(importing()...)
		service := Service("a", "one", "one", "10.96.0.9", 80, inventory.ProtocolHTTP)
		if name != "" {
			service.Ports[0].TargetPort, service.Ports[0].TargetName = 0, name
		}
		c.Apply([]catalog.Change{catalog.Set(service), {Ref: entity.KindPod.Ref(Name("a", "one"))}, catalog.Set(Slice(service.Name))})
		s := scope.Build(c.View(), trustDomain, scope.KeyFor(c.View(), PeerGatewayOf("osm-system")))
		if len(s.PeerGateway.Exports) != want || len(s.Clusters) != want {
			t.Errorf("the port %q has the exports %+v and the clusters %+v", name, s.PeerGateway.Exports, s.Clusters)
		}
	}
}

// TestPeerLimits checks that a sidecar has no more chains for peers than its limit, and a gateway no more Services, and which ones.
func TestPeerLimits(t *testing.T) {
	entries := withPeers()
	for i := range peering.MaxServices + 1 {
		name := fmt.Sprintf("export-%03d", i)
		service := Service("a", name, "one", fmt.Sprintf("10.97.%d.%d", i/250, i%250), 80, inventory.ProtocolHTTP)
		entries = append(entries, service, &catalog.ServiceExport{Name: service.Name, Peer: "east"})
	}
	c := Apply(entries...)
	s := scope.Build(c.View(), trustDomain, scope.KeyFor(c.View(), PeerGatewayOf("osm-system")))
	if got := len(s.PeerGateway.Exports); got != peering.MaxServices || s.PeerGateway.Exports[0].Service.Name != "export-000" {
		t.Errorf("%d Services are exported, the first is %s", got, s.PeerGateway.Exports[0].Service)
	}
	sidecar := scope.Build(c.View(), trustDomain, scope.KeyFor(c.View(), c.View().Pod(Name("a", "one"))))
	served := 0
	for _, in := range sidecar.Inbound {
		served += len(in.Peers)
	}
	if served != scope.MaxPeerChains || !slices.Contains(sidecar.Limited, entity.KindTrafficTarget.Ref(Name("a", "server"))) {
		t.Errorf("the sidecar has %d chains for peers, limited are %v", served, sidecar.Limited)
	}
}

// TestOldestPeerCounts checks which of several peers count whose accounts can have the same names.
func TestOldestPeerCounts(t *testing.T) {
	for name, test := range map[string]struct {
		domains []string
		want    []string
	}{
		"apart":           {[]string{"a.example", "b.example"}, []string{"p0", "p1"}},
		"the same":        {[]string{"a.example", "a.example"}, []string{"p0"}},
		"below":           {[]string{"a.example", "x.a.example"}, []string{"p0"}},
		"above":           {[]string{"x.a.example", "a.example"}, []string{"p0"}},
		"between others":  {[]string{"a.example", "x.a.example", "b.example"}, []string{"p0", "p2"}},
		"of one excluded": {[]string{"a.example", "x.a.example", "y.x.a.example"}, []string{"p0"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := catalog.New()
			for i, domain := range test.domains {
				peer := Peer(fmt.Sprint("p", i), domain)
				peer.Created = time.Unix(int64(i), 0)
				c.Apply([]catalog.Change{catalog.Set(peer)})
			}
			var got []string
			for _, peer := range c.View().Peers() {
				got = append(got, peer.Name)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%v count, want %v", got, test.want)
			}
		})
	}
}
