package scope

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestAuthoritiesOfPorts checks that each policy has its authorities once, also after hosts without one.
func TestAuthoritiesOfPorts(t *testing.T) {
	host := func(policy string, unusable bool) authz.EgressHost {
		return authz.EgressHost{BackendTLS: &authz.BackendTLS{Policy: meshtest.Name("ns", policy), Unusable: unusable}}
	}
	ports := []authz.EgressPort{{Hosts: []authz.EgressHost{{}, host("bad", true), host("a", false), host("a", false), host("b", false)}}, {Hosts: []authz.EgressHost{host("a", false), host("c", false)}}}
	var got []string
	for _, authorities := range egressAuthorities(ports) {
		got = append(got, authorities.Policy.Name)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestInboundPorts checks that each container port of a Service has one element.
func TestInboundPorts(t *testing.T) {
	pod, service := meshtest.Pod("a", "web", "web", "web", "10.0.0.1"), meshtest.Service("a", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	service.Ports = []inventory.Port{
		{Number: 80, TargetPort: 8080, Protocol: inventory.ProtocolHTTP}, {Number: 81, TargetPort: 8080, Protocol: inventory.ProtocolHTTP}, {Number: 82, TargetPort: 9090, Protocol: inventory.ProtocolHTTP},
	}
	v := meshtest.Apply(&catalog.Namespace{Name: "a", Monitored: true}, pod, service).View()
	var got []string
	for _, in := range Build(v, "cluster.local", KeyFor(v, pod)).Inbound {
		got = append(got, fmt.Sprint(in.Port, ">", in.TargetPort))
	}
	if diff := cmp.Diff([]string{"80>8080", "82>9090"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestInboundPortsOfSeveralNumbers has two ports of a Service without a selector that have a number in common.
func TestInboundPortsOfSeveralNumbers(t *testing.T) {
	service := meshtest.Service("a", "web", "", "10.96.0.1", 80, inventory.ProtocolHTTP)
	service.Selector, service.Ports[0].Name = nil, "one"
	service.Ports = append(service.Ports, inventory.Port{Name: "two", Number: 81, Protocol: inventory.ProtocolHTTP})
	v := meshtest.Apply(&catalog.Namespace{Name: "a", Monitored: true}, service).View()
	var got []uint16
	for _, in := range Build(v, "cluster.local", Key{Identity: meshtest.SA("a", "web"), Services: "a/web", Ports: "a/web/one=8080,a/web/two=8080,a/web/two=8081"}).Inbound {
		got = append(got, in.TargetPort)
	}
	if want := []uint16{8080, 8081}; !slices.Equal(got, want) {
		t.Errorf("the ports are %v, want %v", got, want)
	}
}

// TestRecordLimited checks which policies of a port beyond the limit are listed.
func TestRecordLimited(t *testing.T) {
	setting := entity.Ref{Kind: upstream.Kind, Name: meshtest.Name("a", "u")}
	for name, test := range map[string]struct {
		limits *Limits
		weight portWeight
		want   []entity.Kind
	}{
		"no limits":                {nil, portWeight{0, 1}, []entity.Kind{entity.KindTrafficTarget}},
		"limits of a tenth":        {&Limits{Policy: setting}, portWeight{100, 10}, []entity.Kind{entity.KindTrafficTarget}},
		"limits of more than that": {&Limits{Policy: setting}, portWeight{100, 11}, []entity.Kind{entity.KindTrafficTarget, upstream.Kind}},
	} {
		var limit authz.RouteLimit
		recordLimited(&limit, &Inbound{Limits: test.limits, Rules: authz.Rules{Network: []authz.NetworkRule{{Policy: "a/t"}}}}, test.weight)
		var got []entity.Kind
		for _, policy := range limit.Limited() {
			got = append(got, policy.Kind)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	s := &Scope{}
	for _, name := range []string{"b", "a", "b"} {
		s.AddLimited(entity.Ref{Kind: telemetry.Kind, Name: meshtest.Name("ns", name)})
	}
	if got := fmt.Sprint(s.Limited); got != "[{Telemetry ns/a} {Telemetry ns/b}]" {
		t.Errorf("limited are %s", got)
	}
}

// TestSameRoutes checks that each part of a route that does not come from the match of the catalog is compared.
func TestSameRoutes(t *testing.T) {
	source := &catalog.RouteMatch{}
	route := func(change func(*HTTPRoute)) *HTTPRoute {
		r := &HTTPRoute{source: source, Weight: 1, Backends: []Backend{{Cluster: "a"}}, Mirrors: []Mirror{{Cluster: "b"}}}
		change(r)
		return r
	}
	first := route(func(*HTTPRoute) {})
	for name, test := range map[string]struct {
		change func(*HTTPRoute)
		want   bool
	}{
		"nothing":       {func(*HTTPRoute) {}, true},
		"another match": {func(r *HTTPRoute) { r.source = &catalog.RouteMatch{Path: "/"} }, false},
		"denied":        {func(r *HTTPRoute) { r.Denied = true }, false},
		"the weight":    {func(r *HTTPRoute) { r.Weight = 2 }, false},
		"the backends":  {func(r *HTTPRoute) { r.Backends = nil }, false},
		"the mirrors":   {func(r *HTTPRoute) { r.Mirrors = nil }, false},
	} {
		if got := first.IsSame(route(test.change)); got != test.want {
			t.Errorf("%s: the route is the same is %t", name, got)
		}
	}
	if (&HTTPRoute{}).IsSame(&HTTPRoute{}) {
		t.Error("routes of the gateway are known to be the same")
	}
}
