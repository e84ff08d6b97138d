package scope_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestEgressAuthorities checks that a scope has the authorities of its policies once, and none of a policy that cannot be used.
func TestEgressAuthorities(t *testing.T) {
	client := meshtest.SA("ns", "client")
	for content, want := range map[string]int{"good": 1, "bad": 0, "unread": 0} {
		objects := meshtest.Apply(
			&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "ns", Monitored: true},
			&catalog.Egress{
				Name: meshtest.Name("ns", "api"), Sources: []identity.ServiceAccount{client}, Hosts: []string{"a.example.com", "b.example.com"},
				Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
			},
			&catalog.BackendTLSPolicy{
				Name: meshtest.Name("ns", "p"), Hostname: "a.example.com", Authorities: []string{content},
				Targets: []catalog.PolicyTarget{{Group: catalog.PolicyGroup, Kind: "Egress", Name: "api"}},
			},
			&catalog.BackendAuthorities{Name: meshtest.Name("ns", "good"), PEM: []byte("certificates")},
			&catalog.BackendAuthorities{Name: meshtest.Name("ns", "bad"), Problem: "The ConfigMap is empty."},
		)
		v := objects.View()
		if got := scope.HasUnreadAuthorities(v, scope.Key{Identity: client}); got != (content == "unread") {
			t.Errorf("%s: unread authorities are %t", content, got)
		}
		s := scope.Build(objects.View(), "cluster.local", scope.Key{Identity: client})
		if len(s.EgressAuthorities) != want {
			t.Errorf("%s: the scope has %d authorities, want %d", content, len(s.EgressAuthorities), want)
		}
		if host := s.EgressPorts[0].Hosts[0]; host.BackendTLS.Unusable != (want == 0) {
			t.Errorf("%s: the policy is unusable: %t", content, host.BackendTLS.Unusable)
		}
	}
}

// TestServerTLS checks that the policy of an ExtensionService encrypts what sidecars and gateways send to it, also that of the namespace of the mesh, and that
// sidecars wait for its authorities.
func TestServerTLS(t *testing.T) {
	server := func(name string) []catalog.PolicyTarget {
		return []catalog.PolicyTarget{{Group: catalog.ConfigGroup, Kind: "ExtensionService", Name: name}}
	}
	for content, unusable := range map[string]bool{"good": false, "bad": true, "unread": true} {
		v := meshtest.Apply(
			&catalog.Settings{Namespace: "osm-system"}, &catalog.Namespace{Name: "ns", Monitored: true},
			&catalog.ExtensionService{Name: meshtest.Name("ns", "collector")}, &catalog.ExtensionService{Name: meshtest.Name("osm-system", "opa")},
			&catalog.ExtensionService{Name: meshtest.Name("ns", "plain")},
			&telemetry.Policy{Name: meshtest.Name("ns", "logs"), Export: meshtest.Name("ns", "collector")},
			&extauthz.Policy{Name: meshtest.Name("ns", "own"), Service: meshtest.Name("ns", "plain")},
			&extauthz.Policy{Name: meshtest.Name("osm-system", "all"), Service: meshtest.Name("osm-system", "opa")},
			&catalog.BackendTLSPolicy{Name: meshtest.Name("ns", "p"), Hostname: "otel", Authorities: []string{content}, Targets: server("collector")},
			&catalog.BackendTLSPolicy{Name: meshtest.Name("osm-system", "p"), Hostname: "opa", Authorities: []string{content}, Targets: server("opa")},
			&catalog.BackendAuthorities{Name: meshtest.Name("ns", "good"), PEM: []byte("certificates")},
			&catalog.BackendAuthorities{Name: meshtest.Name("osm-system", "good"), PEM: []byte("certificates")},
			&catalog.BackendAuthorities{Name: meshtest.Name("ns", "bad"), Problem: "The ConfigMap is empty."},
			&catalog.BackendAuthorities{Name: meshtest.Name("osm-system", "bad"), Problem: "The ConfigMap is empty."},
		).View()
		logs := meshtest.Name("ns", "logs")
		sidecar := scope.Key{Identity: meshtest.SA("ns", "web"), Telemetry: logs, Authorization: meshtest.Name("ns", "own"), MeshAuthorization: meshtest.Name("osm-system", "all")}
		gateway := scope.Key{Identity: meshtest.SA("osm-system", "gateway"), Telemetry: logs, Proxy: scope.ProxyIngressGateway}
		for name, test := range map[string]struct {
			key     scope.Key
			servers []string
		}{"sidecar": {sidecar, []string{"ns/collector", "osm-system/opa"}}, "gateway": {gateway, []string{"ns/collector"}}} {
			tls := scope.Build(v, "cluster.local", test.key).ServerTLS
			if got := slices.Sorted(maps.Keys(tls)); !slices.Equal(got, test.servers) {
				t.Errorf("%s, %s: encrypted are %v, want %v", name, content, got, test.servers)
			}
			for server, policy := range tls {
				if policy.Unusable != unusable {
					t.Errorf("%s, %s: the policy of %s is unusable: %t", name, content, server, policy.Unusable)
				}
			}
		}
		if got := scope.HasUnreadAuthorities(v, sidecar); got != (content == "unread") {
			t.Errorf("%s: unread authorities are %t", content, got)
		}
	}
}

// TestHostTLS checks that the policy of a Service encrypts what sidecars and gateways send to it as a server of the mesh, by whichever object it is named, and that a
// policy outside the mesh does not.
func TestHostTLS(t *testing.T) {
	pod := meshtest.Pod("ns", "web", "web", "web", "10.0.0.1")
	service := meshtest.Service("ns", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	policy := func(namespace, service, section string) *catalog.BackendTLSPolicy {
		return &catalog.BackendTLSPolicy{
			Name: meshtest.Name(namespace, service+section), Hostname: service + section, Authorities: []string{"ca"},
			Targets: []catalog.PolicyTarget{{Kind: "Service", Name: service, Section: section}},
		}
	}
	entries := []catalog.Entry{
		&catalog.Settings{
			Namespace: "osm-system", Tracing: &catalog.Tracing{Address: "jaeger.osm-system.svc.cluster.local", Port: 9411},
			ExternalAuthorization: &catalog.ExternalAuthorization{Address: "opa.outside.svc", Port: 9191},
		},
		&catalog.Namespace{Name: "ns", Monitored: true}, &catalog.Namespace{Name: "outside"}, pod, service, meshtest.Slice(service.Name, pod),
		&upstream.Policy{
			Kind: upstream.Kind, Name: meshtest.Name("ns", "web"), Service: service.Name,
			GlobalRequests: &upstream.GlobalRequestLimit{GlobalLimit: upstream.GlobalLimit{Address: "limits.ns.svc", Port: 8081}},
		},
		&inventory.Service{Name: meshtest.Name("ns", "limits"), Ports: []inventory.Port{{Name: "grpc", Number: 8081}}},
		&catalog.ExtensionService{Name: meshtest.Name("ns", "collector"), Address: "otel.ns.svc", Port: 4317},
		&telemetry.Policy{Name: meshtest.Name("ns", "logs"), Export: meshtest.Name("ns", "collector")},
		policy("osm-system", "jaeger", ""), policy("outside", "opa", ""), policy("ns", "limits", ""), policy("ns", "limits", "grpc"), policy("ns", "limits", "http"), policy("ns", "otel", ""),
		&catalog.BackendAuthorities{Name: meshtest.Name("osm-system", "ca"), PEM: []byte("certificates")},
	}
	sidecar := scope.Key{Identity: pod.Identity(), Services: "ns/web", Telemetry: meshtest.Name("ns", "logs")}
	v := meshtest.Apply(entries...).View()
	if !scope.HasUnreadAuthorities(v, sidecar) {
		t.Error("the sidecar does not wait for the authorities of the rate limit service")
	}
	if !scope.HasUnreadAuthorities(v, scope.Key{Identity: pod.Identity(), Services: "ns/web"}) || scope.HasUnreadAuthorities(v, scope.Key{Identity: pod.Identity()}) {
		t.Error("a sidecar without a Telemetry waits for the authorities of its rate limit service, or one without a Service does")
	}
	entries = append(entries, &catalog.BackendAuthorities{Name: meshtest.Name("ns", "ca"), PEM: []byte("certificates")})
	v = meshtest.Apply(entries...).View()
	if scope.HasUnreadAuthorities(v, sidecar) {
		t.Error("the sidecar waits for authorities that were read")
	}
	encrypted := func(s *scope.Scope) []string {
		var list []string
		for _, servers := range []map[string]*authz.BackendTLS{s.HostTLS, s.ServerTLS} {
			for server, tls := range servers {
				list = append(list, server+" "+tls.ServerName)
			}
		}
		slices.Sort(list)
		return list
	}
	want := []string{"jaeger.osm-system.svc.cluster.local:9411 jaeger", "limits.ns.svc:8081 limitsgrpc", "ns/collector otel"}
	if got := encrypted(scope.Build(v, "cluster.local", sidecar)); !slices.Equal(got, want) {
		t.Errorf("the sidecar encrypts %v, want %v", got, want)
	}
	gateway := scope.Key{Identity: meshtest.SA("osm-system", "gateway"), Proxy: scope.ProxyIngressGateway}
	if got := encrypted(scope.Build(v, "cluster.local", gateway)); !slices.Equal(got, want[:1]) {
		t.Errorf("the gateway encrypts %v, want %v", got, want[:1])
	}
}
