package datapath

import (
	"encoding/json"
	"net/netip"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

const trustDomain = "cluster.local"

var (
	buyer   = identity.ServiceAccount{Namespace: "shop", Name: "buyer"}
	books   = identity.ServiceAccount{Namespace: "shop", Name: "books"}
	service = entity.Name{Namespace: "shop", Name: "books"}
	// virtual is the address of the Service, which no pod has.
	virtual = netip.MustParseAddr("10.96.0.1")
)

// pair is a client and a server.
type pair struct {
	client, server *pods.Pod
	// address is what the client connects to.
	address string
}

// sidecars returns the process IDs of the sidecars.
func (p pair) sidecars() []int {
	return slices.DeleteFunc([]int{p.client.PID, p.server.PID}, func(pid int) bool { return pid == 0 })
}

// path is a way from a client to a server.
type path struct {
	name string
	pair func(t testing.TB, p protocol) pair
}

var paths = []path{
	{"direct", direct},
	{"minimal", func(t testing.TB, p protocol) pair { return minimalPair(t, p, "") }},
	{"minimal-with-authorization", func(t testing.TB, p protocol) pair { return minimalPair(t, p, buyer.Principal(trustDomain)) }},
	{"mesh", func(t testing.TB, p protocol) pair { return meshPair(t, p, allLoggers) }},
	{"mesh-without-statistics", func(t testing.TB, p protocol) pair { return meshPair(t, p, onlyText) }},
	{"mesh-without-loggers", func(t testing.TB, p protocol) pair { return meshPair(t, p, noLoggers) }},
}

// direct has no sidecars.
func direct(t testing.TB, p protocol) pair {
	n := pods.NewNetwork(t)
	out := pair{client: n.Bare(t), server: n.Bare(t)}
	out.address = out.serve(t, p)
	return out
}

// minimalPair has sidecars with static configuration. If client is not empty, only that identity is authorized.
func minimalPair(t testing.TB, p protocol, client string) pair {
	n := pods.NewNetwork(t)
	static := func(name string, sa identity.ServiceAccount, m minimal) *pods.Pod {
		chain, key := n.CA.Issue(t, sa, trustDomain)
		m.Client = client
		m.HTTP = p.mesh == inventory.ProtocolHTTP
		m.Chain, m.Key, m.Root = quote(t, chain), quote(t, key), quote(t, n.CA.RootPEM)
		m.Port = p.port
		return n.PodFrom(t, name, m.bootstrap(t))
	}
	out := pair{server: static("server", books, minimal{Server: true, Listen: names.InboundPort, Host: "127.0.0.1"})}
	out.client = static("client", buyer, minimal{Listen: names.OutboundPort, Host: out.server.IP.String()})
	out.serve(t, p)
	out.address = netip.AddrPortFrom(virtual, p.port).String()
	return out
}

// meshPair has sidecars with the configuration of a mesh, in which a policy allows the client, and with a part of its loggers.
func meshPair(t testing.TB, p protocol, l loggers) pair {
	return meshPairFor(t, p, l.part(), clientScope(p))
}

// meshPairFor has sidecars without a part of the configuration, for what a client can reach.
func meshPairFor(t testing.TB, p protocol, without part, outbound *scope.Scope) pair {
	n := pods.NewNetwork(t)
	out := pair{client: sidecar(t, n, "client"), server: sidecar(t, n, "server")}
	out.serve(t, p)
	inbound := serverScope(p)
	out.server.SendAll(t, inbound, without.apply(t, envoy.Build(inbound)))
	out.client.SendAll(t, outbound, without.apply(t, envoy.Build(outbound)), scope.Endpoints{
		Key:       scope.EndpointsKey{Service: service, TargetPort: p.port},
		Addresses: []netip.AddrPort{netip.AddrPortFrom(out.server.IP, p.port)},
		Workloads: []inventory.Workload{{Kind: "Deployment", Name: "books"}},
	})
	out.address = netip.AddrPortFrom(virtual, p.port).String()
	return out
}

// sidecar adds a pod whose sidecar has the default statistics of a mesh.
func sidecar(t testing.TB, n *pods.Network, name string) *pods.Pod {
	t.Helper()
	config := n.Bootstrap(name)
	config.StatsConfig, config.DeferredStatOptions = bootstrap.StatsConfig(""), bootstrap.DeferredStats()
	return n.PodFrom(t, name, config)
}

// serve runs the application and returns the pod's own address of it.
func (p pair) serve(t testing.TB, application protocol) string {
	t.Helper()
	listener := p.server.NS.Listen(t, nstest.Address("0.0.0.0", application.port))
	go application.serve(t, listener)
	return netip.AddrPortFrom(p.server.IP, application.port).String()
}

func serverScope(p protocol) *scope.Scope {
	rules := authz.Rules{Network: []authz.NetworkRule{{Policy: "shop/buyer", Sources: []identity.ServiceAccount{buyer}}}}
	if p.mesh == inventory.ProtocolHTTP {
		rules.Routes = []authz.Route{{Match: catalog.HTTPMatch{PathRegex: ".*"}, Sources: []identity.ServiceAccount{buyer}}}
	}
	return &scope.Scope{
		Common:  commonOf(books),
		Sidecar: scope.Sidecar{Inbound: []scope.Inbound{{Service: service, Port: p.port, TargetPort: p.port, Protocol: p.mesh, Rules: rules}}},
	}
}

func clientScope(p protocol) *scope.Scope {
	return withService(&scope.Scope{Common: commonOf(buyer)}, p, service, virtual)
}

// commonOf has the settings of a new mesh.
func commonOf(account identity.ServiceAccount) scope.Common {
	const unlogged = 900_000
	return scope.Common{
		Key: scope.Key{Identity: account, Class: scope.Class{IPv6: true, Metrics: true}}, TrustDomain: trustDomain, UnloggedRequests: unlogged,
	}
}

// withService adds a Service to what a client can reach.
func withService(s *scope.Scope, p protocol, name entity.Name, address netip.Addr) *scope.Scope {
	s.Outbound = append(s.Outbound, scope.Outbound{
		Service: name, Port: p.port, Protocol: p.mesh, Addresses: []netip.Addr{address},
		Backends: []scope.Backend{{Cluster: scope.ClusterName(name, p.port), Weight: 100}},
	})
	s.Clusters = append(s.Clusters, scope.Cluster{
		Service: name, TargetPort: p.port, Protocol: p.mesh, Identities: []identity.ServiceAccount{books},
	})
	return s
}

// quote returns text as a JSON string.
func quote(t testing.TB, text []byte) string {
	t.Helper()
	quoted, err := json.Marshal(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return string(quoted)
}
