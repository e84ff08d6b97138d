package scope_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestIngress checks which ports IngressBackends open, and for which addresses.
func TestIngress(t *testing.T) {
	pod, nginx := Pod("shop", "web-0", "web", "web", "10.0.0.1"), Pod("ingress", "nginx-0", "nginx", "nginx", "10.0.0.7")
	nginx.Injected = false
	web := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	alias := Service("shop", "alias", "web", "10.96.0.2", 80, inventory.ProtocolHTTP)
	web.Ports[0].TargetPort, alias.Ports[0].TargetPort = 8080, 8080
	gateway := Name("ingress", "nginx")
	policy := func(name, service string, created int64, port uint16, change func(*ingressbackend.Policy)) *ingressbackend.Policy {
		b := &ingressbackend.Policy{
			Name: Name("shop", name), Created: time.Unix(created, 0), Gateways: []entity.Name{gateway},
			Backends: []ingressbackend.Port{{Service: Name("shop", service), TargetPort: port}},
		}
		if change != nil {
			change(b)
		}
		return b
	}
	on := &catalog.Settings{IngressBackends: true}
	for _, test := range []struct {
		name    string
		entries []catalog.Entry
		want    []string
	}{
		{"nothing", []catalog.Entry{on}, nil},
		{"policies are off", []catalog.Entry{policy("a", "web", 1, 8080, nil)}, nil},
		{"the pods of the gateway", []catalog.Entry{on, policy("a", "web", 1, 8080, nil)}, []string{"shop/a shop/web:8080 [10.0.0.7/32] any=false requests=true 0"}},
		{
			"a gateway without pods admits nobody",
			[]catalog.Entry{on, policy("a", "web", 1, 8080, func(b *ingressbackend.Policy) { b.Gateways[0].Name = "none" })},
			[]string{"shop/a shop/web:8080 [] any=false requests=true 0"},
		},
		{
			"a range",
			[]catalog.Entry{on, policy("a", "web", 1, 8080, func(b *ingressbackend.Policy) { b.Prefixes = []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")} })},
			[]string{"shop/a shop/web:8080 [10.0.0.7/32 192.168.0.0/16] any=false requests=true 0"},
		},
		{"the port of the Service is not the port of the pod", []catalog.Entry{on, policy("a", "web", 1, 80, nil)}, nil},
		{"the older policy", []catalog.Entry{on, policy("a", "web", 2, 8080, nil), policy("b", "web", 1, 8080, nil)}, []string{"shop/b shop/web:8080 [10.0.0.7/32] any=false requests=true 0"}},
		{
			"the older policy of another Service with the port",
			[]catalog.Entry{on, policy("a", "web", 2, 8080, nil), policy("b", "alias", 1, 8080, nil)},
			[]string{"shop/b shop/alias:8080 [10.0.0.7/32] any=false requests=true 0"},
		},
		{
			"the older policy of the last Service with the port",
			[]catalog.Entry{on, policy("a", "alias", 2, 8080, nil), policy("b", "web", 1, 8080, nil)},
			[]string{"shop/b shop/web:8080 [10.0.0.7/32] any=false requests=true 0"},
		},
		{
			"a range with the only address of the gateway",
			[]catalog.Entry{on, policy("a", "web", 1, 8080, func(b *ingressbackend.Policy) { b.Prefixes = []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32")} })},
			[]string{"shop/a shop/web:8080 [10.0.0.7/32] any=false requests=true 0"},
		},
		{"a policy of another namespace", []catalog.Entry{on, policy("a", "web", 1, 8080, func(b *ingressbackend.Policy) { b.Backends[0].Service.Namespace = "ingress" })}, nil},
		{
			"the requests of a group",
			[]catalog.Entry{on, Group("shop", "front", "/front"), policy("a", "web", 1, 8080, func(b *ingressbackend.Policy) { b.RouteGroups = []string{"front", "none"} })},
			[]string{"shop/a shop/web:8080 [10.0.0.7/32] any=false requests=false 1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			base := []catalog.Entry{&catalog.Namespace{Name: "shop", Monitored: true}, pod, nginx, web, alias, Slice(gateway, nginx)}
			v := Apply(append(base, test.entries...)...).View()
			var got []string
			for _, in := range scope.Build(v, trustDomain, scope.KeyFor(v, pod)).Ingress {
				got = append(got, fmt.Sprintf("%s %s:%d %v any=%v requests=%v %d", in.Policy, in.Service, in.TargetPort, in.Prefixes, in.AnyAddress, in.AnyRequest, len(in.Matches)))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("ingress (-want +got):\n%s", diff)
			}
		})
	}
}

// TestIngressPortsAreSorted checks that the order does not change between builds.
func TestIngressPortsAreSorted(t *testing.T) {
	pod, service := Pod("shop", "web-0", "web", "web", "10.0.0.1"), Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	policy := &ingressbackend.Policy{Name: Name("shop", "all")}
	var want []uint16
	service.Ports = nil
	for i := range uint16(9) {
		want = append(want, 8000+i)
		service.Ports = append(service.Ports, inventory.Port{Number: 80 + i, TargetPort: 8008 - i, Protocol: inventory.ProtocolHTTP})
		policy.Backends = append(policy.Backends, ingressbackend.Port{Service: service.Name, TargetPort: 8000 + i})
	}
	c := Apply(&catalog.Settings{IngressBackends: true}, &catalog.Namespace{Name: "shop", Monitored: true}, pod, service, policy)
	var got []uint16
	for _, in := range scope.Build(c.View(), trustDomain, scope.KeyFor(c.View(), pod)).Ingress {
		got = append(got, in.TargetPort)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}

// TestVerifiesClients checks which clients outside the mesh need a certificate.
func TestVerifiesClients(t *testing.T) {
	for _, test := range []struct{ tls, skip, want bool }{
		{false, false, false}, {false, true, false}, {true, false, true}, {true, true, false},
	} {
		if got := (scope.Ingress{TLS: test.tls, SkipClientCertificate: test.skip}).VerifiesClients(); got != test.want {
			t.Errorf("TLS %t without client certificates %t: clients need a certificate: %t, want %t", test.tls, test.skip, got, test.want)
		}
	}
}
