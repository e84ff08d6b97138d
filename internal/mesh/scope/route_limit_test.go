package scope_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// Numbers whose product exceeds MaxRoutes.
const (
	manyPorts   = 60
	manyMatches = 1000
)

func groupOfMany(namespace, name string) *catalog.HTTPRouteGroup {
	group := Group(namespace, name)
	for i := range manyMatches {
		group.Matches = append(group.Matches, catalog.HTTPMatch{Name: fmt.Sprint(i), PathRegex: fmt.Sprint("/", name, i)})
	}
	return group
}

func serviceOfMany(namespace, name, address string) *inventory.Service {
	service := Service(namespace, name, name, address, 80, inventory.ProtocolHTTP)
	for i := range uint16(manyPorts - 1) {
		service.Ports = append(service.Ports, inventory.Port{Number: 1000 + i, TargetPort: 1000 + i, Protocol: inventory.ProtocolHTTP})
	}
	return service
}

// TestRoutesOfSidecarsAreBounded checks that ports, hosts and matches of one namespace do not multiply without a limit. What is beyond it is denied.
func TestRoutesOfSidecarsAreBounded(t *testing.T) {
	pod := Pod("a", "server", "server", "server", "10.0.0.1")
	service := serviceOfMany("a", "server", "172.0.0.1")
	group := groupOfMany("a", "routes")
	egress := &catalog.Egress{Name: Name("a", "outside"), Sources: []identity.ServiceAccount{pod.Identity()}, Restricted: true, RouteGroups: []string{"routes"}}
	ingress := &ingressbackend.Policy{Name: Name("a", "ingress"), RouteGroups: []string{"routes"}}
	for _, port := range service.Ports {
		egress.Ports = append(egress.Ports, catalog.EgressPort{Number: port.Number, Protocol: inventory.ProtocolHTTP})
		egress.Hosts = append(egress.Hosts, fmt.Sprintf("h%d.example.com", port.Number))
		ingress.Backends = append(ingress.Backends, ingressbackend.Port{Service: service.Name, TargetPort: port.TargetPort})
	}
	c := Apply(&catalog.Settings{EgressPolicies: true, IngressBackends: true}, &catalog.Namespace{Name: "a", Monitored: true}, pod, service, Slice(service.Name, pod), group,
		Target("t", pod.Identity(), []catalog.TargetRule{HTTP("routes")}, pod.Identity()), egress, ingress)
	s := scope.Build(c.View(), trustDomain, scope.Key{Identity: pod.Identity(), Services: "a/server"})
	inbound, outside, admitted := 0, 0, 0
	for _, in := range s.Inbound {
		inbound += len(in.Rules.Routes)
		if len(in.Rules.Routes) == 0 && (len(in.Rules.Network) > 0 || in.Rules.Permissive) {
			t.Errorf("port %d without routes has clients", in.Port)
		}
	}
	for _, port := range s.EgressPorts {
		for _, host := range port.Hosts {
			outside += 1 + len(host.Matches)
			if !host.Restricted {
				t.Errorf("host %s is not restricted", host.Host)
			}
		}
	}
	for _, in := range s.Ingress {
		admitted += len(in.Matches)
		if in.AnyRequest {
			t.Errorf("port %d admits every request", in.TargetPort)
		}
	}
	if s.DeniedPorts == 0 {
		t.Error("no port is counted as denied")
	}
	for name, count := range map[string]int{"inbound": inbound, "outside": outside, "ingress": admitted} {
		if count == 0 || count > authz.MaxRoutes {
			t.Errorf("%s: %d routes", name, count)
		}
	}
}

// TestSplitsOfOneNamespaceLeaveRoomForOthers checks that the routes of TrafficSplits of one namespace are bounded in sidecars of their clients, and
// that they displace none of another namespace.
func TestSplitsOfOneNamespaceLeaveRoomForOthers(t *testing.T) {
	client := SA("c", "client")
	entries := []catalog.Entry{&catalog.Namespace{Name: "c", Monitored: true}}
	for i, namespace := range []string{"a", "b"} {
		pod := Pod(namespace, "server", "server", "server", fmt.Sprintf("10.0.0.%d", i+1))
		service := serviceOfMany(namespace, "server", fmt.Sprintf("172.0.0.%d", i+1))
		group := groupOfMany(namespace, "routes")
		if namespace == "b" {
			group.Matches = group.Matches[:1]
		}
		split := &catalog.TrafficSplit{Name: Name(namespace, "split"), Root: service.Name, Backends: []catalog.SplitBackend{{Service: service.Name, Weight: 1}}, Matches: []string{"routes"}}
		entries = append(entries, &catalog.Namespace{Name: namespace, Monitored: true}, pod, service, Slice(service.Name, pod), group, split,
			Target("t", pod.Identity(), []catalog.TargetRule{HTTP("routes")}, client))
	}
	strict := Apply(entries...)
	for mode, c := range map[string]*catalog.Catalog{"strict": strict, "permissive": Apply(append(entries, &catalog.Settings{Permissive: true})...)} {
		count := map[string]int{}
		for _, out := range scope.Build(c.View(), trustDomain, scope.Key{Identity: client}).Outbound {
			if len(out.Backends) == 0 {
				t.Errorf("%s: %s has no destination", mode, out.Service)
			}
			for _, routes := range out.Routes {
				count[out.Service.Namespace] += len(routes.Matches)
			}
		}
		if count["a"] == 0 || count["a"] > authz.MaxRoutes || count["b"] != manyPorts {
			t.Errorf("%s: routes by namespace: %v", mode, count)
		}
	}
}

// TestRouteLimitCountsClients checks how routes and clients of ports add up: a list of clients that routes share counts once.
func TestRouteLimitCountsClients(t *testing.T) {
	pod := Pod("a", "server", "server", "server", "10.0.0.1")
	service := serviceOfMany("a", "server", "172.0.0.1")
	var clients []identity.ServiceAccount
	for i := range 900 {
		clients = append(clients, SA("a", fmt.Sprint("client-", i)))
	}
	group := Group("a", "routes")
	for i := range 10 {
		group.Matches = append(group.Matches, catalog.HTTPMatch{Name: fmt.Sprint(i), PathRegex: fmt.Sprint("/", i)})
	}
	c := Apply(&catalog.Namespace{Name: "a", Monitored: true}, pod, service, Slice(service.Name, pod), group,
		Target("t", pod.Identity(), []catalog.TargetRule{HTTP("routes")}, clients...))
	s := scope.Build(c.View(), trustDomain, scope.Key{Identity: pod.Identity(), Services: "a/server"})
	open := 0
	for _, in := range s.Inbound {
		if len(in.Rules.Network) > 0 {
			open++
		}
	}
	const size = 10 + 900 + 900 // routes, clients of connections, clients of routes
	if want := authz.MaxRoutes / size; open != want || s.DeniedPorts != manyPorts-want {
		t.Errorf("%d ports are open and %d are denied, want %d and %d", open, s.DeniedPorts, want, manyPorts-want)
	}
}

// TestPortsOfIngressAreCountedAsDenied checks that ports whose requests from outside are beyond the limit are counted.
func TestPortsOfIngressAreCountedAsDenied(t *testing.T) {
	pod := Pod("a", "server", "server", "server", "10.0.0.1")
	service := serviceOfMany("a", "server", "172.0.0.1")
	ingress := &ingressbackend.Policy{Name: Name("a", "ingress"), RouteGroups: []string{"routes"}}
	for _, port := range service.Ports {
		ingress.Backends = append(ingress.Backends, ingressbackend.Port{Service: service.Name, TargetPort: port.TargetPort})
	}
	c := Apply(&catalog.Settings{IngressBackends: true}, &catalog.Namespace{Name: "a", Monitored: true}, pod, service, Slice(service.Name, pod),
		groupOfMany("a", "routes"), ingress)
	s := scope.Build(c.View(), trustDomain, scope.Key{Identity: pod.Identity(), Services: "a/server"})
	if want := manyPorts - authz.MaxRoutes/manyMatches; s.DeniedPorts != want {
		t.Errorf("%d ports are denied, want %d", s.DeniedPorts, want)
	}
}

// TestServicesKeepTheirDestinationAtTheLimit fills the limit exactly. Routes without matches are not counted, so no Service loses its destination.
func TestServicesKeepTheirDestinationAtTheLimit(t *testing.T) {
	client := SA("c", "client")
	pod := Pod("a", "server", "server", "server", "10.0.0.1")
	service := serviceOfMany("a", "server", "172.0.0.1")
	group := groupOfMany("a", "routes")
	split := &catalog.TrafficSplit{Name: Name("a", "split"), Root: service.Name, Backends: []catalog.SplitBackend{{Service: service.Name, Weight: 1}}, Matches: []string{"routes"}}
	c := Apply(&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Namespace{Name: "c", Monitored: true}, pod, service, Slice(service.Name, pod), group, split,
		Target("t", pod.Identity(), []catalog.TargetRule{HTTP("routes")}, client))
	divided := 0
	for _, out := range scope.Build(c.View(), trustDomain, scope.Key{Identity: client}).Outbound {
		divided += len(out.Routes)
		if len(out.Backends) == 0 {
			t.Errorf("port %d has no destination", out.Port)
		}
	}
	if want := authz.MaxCrossNamespaceRoutes / manyMatches; divided != want {
		t.Errorf("%d ports have the routes of the split, want %d", divided, want)
	}
}

// TestClientsOfIngressAreBounded checks that addresses and names of clients count for each port: a sidecar has them for each. A port beyond the limit
// admits nobody.
func TestClientsOfIngressAreBounded(t *testing.T) {
	const addresses, principals = 600, 400
	pod := Pod("a", "server", "server", "server", "10.0.0.1")
	service := serviceOfMany("a", "server", "172.0.0.1")
	ingress := &ingressbackend.Policy{Name: Name("a", "ingress")}
	for _, port := range service.Ports {
		ingress.Backends = append(ingress.Backends, ingressbackend.Port{Service: service.Name, TargetPort: port.TargetPort, TLS: true})
	}
	for i := range byte(addresses / 4) {
		for j := range byte(4) {
			ingress.Prefixes = append(ingress.Prefixes, netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, i, j}), 32))
		}
	}
	for i := range principals {
		ingress.Principals = append(ingress.Principals, fmt.Sprint("client-", i))
	}
	c := Apply(&catalog.Settings{IngressBackends: true}, &catalog.Namespace{Name: "a", Monitored: true}, pod, service, Slice(service.Name, pod), ingress)
	s := scope.Build(c.View(), trustDomain, scope.Key{Identity: pod.Identity(), Services: "a/server"})
	open := 0
	for _, in := range s.Ingress {
		clients := len(in.Prefixes) + len(in.Principals)
		if in.AnyRequest && clients == addresses+principals {
			open++
		} else if in.AnyRequest || clients > 0 {
			t.Errorf("port %d admits %d clients, any request %v", in.TargetPort, clients, in.AnyRequest)
		}
		if clients > 0 && &in.Prefixes[0] != &s.Ingress[0].Prefixes[0] {
			t.Errorf("port %d has addresses of its own", in.TargetPort)
		}
	}
	if want := authz.MaxRoutes / (addresses + principals); open != want || s.DeniedPorts != manyPorts-want || len(s.Limited) != 1 {
		t.Errorf("%d ports are open and %d are denied, limited are %v, want %d and %d", open, s.DeniedPorts, s.Limited, want, manyPorts-want)
	}
}

// TestBackendsOfSplitsCountForEachMatch checks that matches and backends of a TrafficSplit do not multiply without a limit: a sidecar has all backends
// in the route of each match.
func TestBackendsOfSplitsCountForEachMatch(t *testing.T) {
	const backends = 10
	client := SA("a", "client")
	split := &catalog.TrafficSplit{Name: Name("a", "split"), Root: Name("a", "server0"), Matches: []string{"routes"}}
	entries := []catalog.Entry{
		&catalog.Settings{Permissive: true}, &catalog.Namespace{Name: "a", Monitored: true},
		groupOfMany("a", "routes"), split,
	}
	for i := range backends {
		name := fmt.Sprint("server", i)
		pod, service := Pod("a", name, name, name, fmt.Sprint("10.0.0.", i)), serviceOfMany("a", name, fmt.Sprint("172.0.0.", i))
		split.Backends = append(split.Backends, catalog.SplitBackend{Service: service.Name, Weight: 1})
		entries = append(entries, pod, service, Slice(service.Name, pod))
	}
	divided := 0
	for _, out := range scope.Build(Apply(entries...).View(), trustDomain, scope.Key{Identity: client}).Outbound {
		divided += len(out.Routes)
	}
	if want := authz.MaxRoutes / manyMatches / backends; divided != want {
		t.Errorf("%d ports have the routes of the split, want %d", divided, want)
	}
}

// TestPortsThatTheClientMayNotCallCountNothing checks that routes of TrafficSplits on ports that the client may not call leave room for the port that
// it may call.
func TestPortsThatTheClientMayNotCallCountNothing(t *testing.T) {
	client := SA("c", "client")
	pod := Pod("a", "server", "server", "server", "10.0.0.1")
	service := serviceOfMany("a", "server", "172.0.0.1")
	last := service.Ports[manyPorts-1].Number
	split := &catalog.TrafficSplit{Name: Name("a", "split"), Root: service.Name, Backends: []catalog.SplitBackend{{Service: service.Name, Weight: 1}}, Matches: []string{"routes"}}
	c := Apply(&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Namespace{Name: "c", Monitored: true}, pod, service, Slice(service.Name, pod),
		groupOfMany("a", "routes"), split, &catalog.TCPRoute{Name: Name("a", "last"), Ports: []uint16{last}},
		Target("t", pod.Identity(), []catalog.TargetRule{HTTP("routes"), TCP("last")}, client))
	s := scope.Build(c.View(), trustDomain, scope.Key{Identity: client})
	if len(s.Outbound) != 1 || s.Outbound[0].Port != last || len(s.Outbound[0].Routes) != 1 || len(s.Limited) > 0 {
		t.Errorf("limited are %v, %d ports: %.300v", s.Limited, len(s.Outbound), s.Outbound)
	}
}
