package scope_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
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
				Ports: []catalog.EgressPort{{Number: 80, Protocol: catalog.ProtocolHTTP}},
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
