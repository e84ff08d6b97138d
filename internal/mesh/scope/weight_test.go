package scope_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// routesOfHeavy is as how many routes a heavy match counts: one for each 256 bytes.
const routesOfHeavy = 16 * (100 + 156) / 256

// heavyMatches returns a number of matches with 16 headers each.
func heavyMatches(number int) []catalog.HTTPMatch {
	var list []catalog.HTTPMatch
	for i := range number {
		match := catalog.HTTPMatch{Name: fmt.Sprint(i)}
		for k := range 16 {
			match.Headers = append(match.Headers, catalog.HeaderMatch{Name: fmt.Sprintf("x-%02d%s", k, strings.Repeat("x", 96)), Regex: fmt.Sprintf("%03d%s", i, strings.Repeat("a", 153))})
		}
		list = append(list, match)
	}
	return list
}

// TestHeadersCountInSidecars checks that a match with many headers counts as several routes on inbound ports, for clients outside the mesh and in
// TrafficSplits.
func TestHeadersCountInSidecars(t *testing.T) {
	pod := Pod("a", "server", "server", "server", "10.0.0.1")
	service := serviceOfMany("a", "server", "172.0.0.1")
	group := Group("a", "routes")
	group.Matches = heavyMatches(100)
	const size = 100 * routesOfHeavy
	ingress := &ingressbackend.Policy{Name: Name("a", "ingress"), RouteGroups: []string{"routes"}}
	for _, port := range service.Ports {
		ingress.Backends = append(ingress.Backends, ingressbackend.Port{Service: service.Name, TargetPort: port.TargetPort})
	}
	c := Apply(&catalog.Settings{IngressBackends: true}, &catalog.Namespace{Name: "a", Monitored: true}, pod, service, Slice(service.Name, pod), group, ingress,
		&catalog.TrafficSplit{Name: Name("a", "split"), Root: service.Name, Backends: []catalog.SplitBackend{{Service: service.Name, Weight: 1}}, Matches: []string{"routes"}},
		Target("t", pod.Identity(), []catalog.TargetRule{HTTP("routes")}, SA("a", "client"), SA("c", "client")), &catalog.Namespace{Name: "c", Monitored: true})
	s := scope.Build(c.View(), trustDomain, scope.Key{Identity: pod.Identity(), Services: "a/server"})
	open, admitting := 0, 0
	for _, in := range s.Inbound {
		open += len(in.Rules.Routes) / 100
	}
	for _, in := range s.Ingress {
		admitting += len(in.Matches) / 100
	}
	// Each inbound port has two clients, of connections and of requests.
	if wantOpen, wantAdmitting := authz.MaxRoutes/(size+4), authz.MaxRoutes/size; open != wantOpen || admitting != wantAdmitting {
		t.Errorf("%d ports are open in the mesh and %d outside, want %d and %d", open, admitting, wantOpen, wantAdmitting)
	}
	for namespace, want := range map[string]int{"a": authz.MaxRoutes / size, "c": authz.MaxCrossNamespaceRoutes / size} {
		divided := 0
		for _, out := range scope.Build(c.View(), trustDomain, scope.Key{Identity: SA(namespace, "client")}).Outbound {
			divided += len(out.Routes)
		}
		if divided != want {
			t.Errorf("a client of namespace %s has the split on %d ports, want %d", namespace, divided, want)
		}
	}
}

// TestLimitsOfRoutesCount checks that limits and descriptors count for each route that has them. A port beyond the limit denies all requests, and the
// setting is listed.
func TestLimitsOfRoutesCount(t *testing.T) {
	pod := Pod("a", "server", "server", "server", "10.0.0.1")
	service := serviceOfMany("a", "server", "172.0.0.1")
	group := groupOfMany("a", "routes")
	for i := range group.Matches {
		group.Matches[i] = catalog.HTTPMatch{Name: fmt.Sprint(i), Headers: []catalog.HeaderMatch{{Name: "x", Regex: fmt.Sprint(i)}}}
	}
	var descriptors []upstream.RequestDescriptor
	for range 16 {
		descriptors = append(descriptors, upstream.RequestDescriptor{{Key: strings.Repeat("k", 128), Value: strings.Repeat("v", 64)}})
	}
	headers := []upstream.Header{{Name: "x", Value: strings.Repeat("v", 4096-256-64-1)}}
	for name, setting := range map[string]*upstream.Policy{
		"descriptors": {GlobalRequests: &upstream.GlobalRequestLimit{Routes: []upstream.RouteDescriptors{{Path: ".*", Descriptors: descriptors}}}},
		"limits":      {Routes: []upstream.RouteRateLimit{{Path: ".*", Limit: upstream.RequestRateLimit{Headers: headers}}}},
	} {
		setting.Kind, setting.Name, setting.Service = upstream.Kind, Name("a", "limits"), service.Name
		c := Apply(&catalog.Namespace{Name: "a", Monitored: true}, pod, service, Slice(service.Name, pod), group, setting,
			Target("t", pod.Identity(), []catalog.TargetRule{HTTP("routes")}, SA("a", "client")))
		s := scope.Build(c.View(), trustDomain, scope.Key{Identity: pod.Identity(), Services: "a/server"})
		open := 0
		for _, in := range s.Inbound {
			if len(in.Rules.Routes) > 0 {
				open++
			} else if in.Limits != nil {
				t.Errorf("%s: port %d denies all requests and has limits", name, in.Port)
			}
		}
		const size = 1000*(1+16) + 2 + 1 // the routes, two clients, the limits of the port
		if want := authz.MaxRoutes / size; open != want || s.DeniedPorts != manyPorts-want {
			t.Errorf("%s: %d ports are open and %d deny, want %d and %d", name, open, s.DeniedPorts, want, manyPorts-want)
		}
		if got := fmt.Sprint(s.Limited); got != "[{TrafficTarget a/t} {UpstreamTrafficSetting a/limits}]" {
			t.Errorf("%s: limited are %s", name, got)
		}
	}
}

// TestLongClientsAndHostsOfIngressCount checks that long names of clients, and the host names of a port, count.
func TestLongClientsAndHostsOfIngressCount(t *testing.T) {
	pod := Pod("a", "server", "server", "server", "10.0.0.1")
	service := serviceOfMany("a", "server", "172.0.0.1")
	ingress := &ingressbackend.Policy{Name: Name("a", "ingress")}
	for i := range 1000 {
		ingress.Principals = append(ingress.Principals, fmt.Sprintf("%04d%s", i, strings.Repeat("p", 508)))
	}
	for _, port := range service.Ports {
		ingress.Backends = append(ingress.Backends, ingressbackend.Port{Service: service.Name, TargetPort: port.TargetPort, TLS: true, ServerNames: make([]string, 500)})
	}
	c := Apply(&catalog.Settings{IngressBackends: true}, &catalog.Namespace{Name: "a", Monitored: true}, pod, service, Slice(service.Name, pod), ingress)
	s := scope.Build(c.View(), trustDomain, scope.Key{Identity: pod.Identity(), Services: "a/server"})
	if want := manyPorts - authz.MaxRoutes/(2*1000+500); s.DeniedPorts != want {
		t.Errorf("%d ports are denied, want %d", s.DeniedPorts, want)
	}
}

// TestInboundPortsAreBounded checks that a pod behind many Services has a bounded number of inbound ports. Further ones do not exist in the sidecar, so
// nobody can connect to them, and they count as denied.
func TestInboundPortsAreBounded(t *testing.T) {
	const services = authz.MaxOwnPorts/1000 + 2
	pod := Pod("a", "server", "server", "server", "10.0.0.1")
	entries := []catalog.Entry{&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Settings{Permissive: true}, pod}
	var names []entity.Name
	for i := range services {
		service := Service("a", fmt.Sprintf("s%02d", i), "server", fmt.Sprintf("172.0.0.%d", i), 1, inventory.ProtocolHTTP)
		for number := uint16(2); number <= 1000; number++ {
			service.Ports = append(service.Ports, inventory.Port{Number: number, TargetPort: number, Protocol: inventory.ProtocolHTTP})
		}
		entries, names = append(entries, service), append(names, service.Name)
	}
	v := Apply(entries...).View()
	all := scope.Build(v, trustDomain, scope.KeyOfServices(pod.Identity(), names))
	few := scope.Build(v, trustDomain, scope.KeyOfServices(pod.Identity(), names[2:]))
	if len(all.Inbound) != authz.MaxOwnPorts || all.DeniedPorts != 2000 || len(few.Inbound) != authz.MaxOwnPorts || few.DeniedPorts != 0 {
		t.Errorf("%d inbound ports with %d denied, and %d with %d", len(all.Inbound), all.DeniedPorts, len(few.Inbound), few.DeniedPorts)
	}
}
