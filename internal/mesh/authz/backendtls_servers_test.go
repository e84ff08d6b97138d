package authz_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestServersOfTheMesh checks which policy encrypts connections to a server of the mesh, and which names the server must prove.
func TestServersOfTheMesh(t *testing.T) {
	policy := func(group, kind, target string, names ...catalog.SubjectAltName) *catalog.BackendTLSPolicy {
		p := encrypting("for-"+target, 1, "good")
		p.SubjectAltNames, p.Targets = names, []catalog.PolicyTarget{{Group: group, Kind: kind, Name: target}}
		return p
	}
	v := meshtest.Apply(
		&catalog.Namespace{Name: "ns", Monitored: true}, &catalog.BackendAuthorities{Name: meshtest.Name("ns", "good"), PEM: []byte("certificates")},
		policy(catalog.ConfigGroup, "ExtensionService", "traces"), policy("", "Service", "collector", catalog.SubjectAltName{IsURI: true, Name: "spiffe://collector"}),
	).View()
	for name, test := range map[string]struct {
		server *catalog.ExtensionService
		want   *authz.BackendTLS
	}{
		"a policy for the server precedes that for the Service": {
			&catalog.ExtensionService{Name: meshtest.Name("ns", "traces"), Address: "collector.ns.svc", Port: 80},
			&authz.BackendTLS{Policy: meshtest.Name("ns", "for-traces"), ServerName: "for-traces", Names: []catalog.SubjectAltName{{Name: "for-traces"}}},
		},
		"a policy for the Service": {
			&catalog.ExtensionService{Name: meshtest.Name("ns", "other"), Address: "collector.ns.svc", Port: 80},
			&authz.BackendTLS{Policy: meshtest.Name("ns", "for-collector"), ServerName: "for-collector", Names: []catalog.SubjectAltName{{IsURI: true, Name: "spiffe://collector"}}},
		},
		"another Service":         {&catalog.ExtensionService{Name: meshtest.Name("ns", "other"), Address: "other.ns.svc", Port: 80}, nil},
		"a server that is no one": {&catalog.ExtensionService{Name: meshtest.Name("ns", "other"), Address: "collector.example.com", Port: 80}, nil},
	} {
		if test.want != nil {
			test.want.AuthoritiesPEM = []byte("certificates")
		}
		if diff := cmp.Diff(test.want, authz.ServerTLS(v, test.server)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if tls := authz.HostTLS(v, "collector.ns.svc.cluster.local", 80); tls == nil || tls.Policy != meshtest.Name("ns", "for-collector") {
		t.Errorf("the complete name of the Service: %+v", tls)
	}
}

// TestBackendAuthorities checks how many authorities a policy may have, over all its ConfigMaps.
func TestBackendAuthorities(t *testing.T) {
	for surplus, usable := range map[int]bool{0: true, 1: false} {
		v := meshtest.Apply(&catalog.Namespace{Name: "ns", Monitored: true},
			&catalog.BackendAuthorities{Name: meshtest.Name("ns", "one"), PEM: []byte("certificates")},
			&catalog.BackendAuthorities{Name: meshtest.Name("ns", "large"), PEM: make([]byte, catalog.MaxAuthoritiesBytes-len("certificates")+surplus)}).View()
		policy := encrypting("p", 1, "one")
		policy.Authorities = append(policy.Authorities, "large")
		list, problem := authz.BackendAuthorities(v, policy)
		if (problem == "") != usable || (len(list) == catalog.MaxAuthoritiesBytes) != usable {
			t.Errorf("%d bytes too many: %d bytes of authorities, problem %q, want usable %t", surplus, len(list), problem, usable)
		}
	}
}

// TestBackendTLSOfSeveralHosts checks that a policy encrypts requests to the hosts of its Egress only, wherever they are among all hosts.
func TestBackendTLSOfSeveralHosts(t *testing.T) {
	v := meshtest.Apply(&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "ns", Monitored: true}, encrypting("p", 1, "good", "encrypted"),
		outside("plain", 1, to("a.example.com", "c.example.com")), outside("encrypted", 2, to("b.example.com", "d.example.com"))).View()
	got := ""
	for _, host := range authz.EgressPorts(v, meshtest.SA("ns", "client"))[0].Hosts {
		got += fmt.Sprintf("%s %t, ", host.Host, host.BackendTLS != nil)
	}
	if want := "a.example.com false, b.example.com true, c.example.com false, d.example.com true, "; got != want {
		t.Errorf("hosts with encryption: %s want %s", got, want)
	}
}

// TestEncryptionOfAService checks that a request to a Service that the client may not call, but an Egress allows, is not sent if it cannot be encrypted.
func TestEncryptionOfAService(t *testing.T) {
	source := meshtest.SA("buy", "stranger")
	egress := &catalog.Egress{
		Name: meshtest.Name("buy", "out"), Sources: []identity.ServiceAccount{source}, Hosts: []string{"legacy.shop"},
		Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
	}
	policy := encrypting("p", 1, "unread", "out")
	policy.Name.Namespace = "buy"
	v := meshtest.Apply(shop(egress, policy, &catalog.Settings{EgressPolicies: true})...).View()
	got := authz.Decide(v, authz.Request{
		Source: source, Service: meshtest.Name("shop", "legacy"), Port: 80, Method: "GET", Path: "/", Headers: []authz.Header{{Name: ":authority", Value: "legacy.shop"}},
	})
	if !got.Always(authz.Unavailable) || got.Connectable() {
		t.Errorf("%+v, want unavailable", got)
	}
}
