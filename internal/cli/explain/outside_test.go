package explain_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

func TestAskOutside(t *testing.T) {
	policy := &catalog.Egress{
		Name: Name("front", "api"), Sources: []identity.ServiceAccount{SA("front", "till")}, Hosts: []string{"api.example.com"},
		Ports:      []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}, {Number: 443, Protocol: catalog.ProtocolHTTPS}},
		Restricted: true, RouteGroups: []string{"paths"},
	}
	on := &catalog.Settings{EgressPolicies: true}
	entries := shop(policy, on, Group("front", "paths", "/a"))
	through := &catalog.Egress{
		Name: Name("front", "through"), Sources: policy.Sources, Hosts: []string{"files.example.com"}, Ports: policy.Ports, Gateway: &catalog.EgressGateway{},
	}
	away := shop(policy, through, &catalog.Settings{Namespace: "osm-system", EgressPolicies: true})
	gateway := append(away, &inventory.Service{Name: Name("osm-system", names.EgressGateway), ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.7")}})
	required := append(gateway[:len(gateway):len(gateway)], &catalog.Namespace{Name: "front", Monitored: true, EgressGateway: true})
	open := shop(&catalog.Settings{EgressPolicies: true, Egress: true})
	unencrypted := append(entries[:len(entries):len(entries)], &catalog.BackendTLSPolicy{
		Name: Name("front", "tls"), Targets: []catalog.PolicyTarget{{Group: kinds.Egress.Group, Kind: kinds.Egress.Kind, Name: "api"}}, Problem: "It cannot be used.",
	})
	for _, test := range []struct {
		question string
		entries  []catalog.Entry
		want     string
	}{
		{"front/sa/till to http://api.example.com/a", entries, "ALLOWED by Egress front/api"},
		{"front/sa/till to https://api.example.com", entries, "it reaches an address of api.example.com, which the sidecar looks up"},
		{"front/sa/till to http://files.example.com/a", gateway, "it reaches an address of files.example.com through the egress gateway"},
		{"front/sa/till to http://files.example.com/a", away, "unavailable: status 503, because the mesh has no egress gateway"},
		{"front/sa/till to https://files.example.com", gateway, "ALLOWED by Egress front/through"},
		{"front/sa/till to http://api.example.com/b", entries, "status 404 (no Egress allows it)"},
		{"front/sa/till to http://api.example.com/b", unencrypted, "the BackendTLSPolicy front/tls cannot be used"},
		{"front/sa/till to http://api.example.com/a/../b", unencrypted, "The missing policies (other requirements are missing as well)"},
		{"front/sa/till to http://api.example.com/a/../b", entries, "status 400"},
		{"front/sa/till to https://db.example.com", entries, "missing: an Egress in namespace front from front/till with the port 443, the protocol https and the host db.example.com"},
		{"front/sa/till to tcp://192.0.2.1:5432", entries, "the connection is reset"},
		{"shop/sa/web to https://api.example.com", shop(on), "the connection is reset, like all connections of this client"},
		{"front/sa/till to https://plain.out", append(entries, Service("out", "plain", "guest", "10.96.0.9", 443, inventory.ProtocolTCP)), "Host plain.out port 443 (https)"},
		{"front/sa/till to https://api.example.com", open, "because the mesh allows egress"},
		{"front/sa/till to https://api.example.com", required, "it reaches an address of api.example.com through the egress gateway"},
		{"front/sa/till to tcp://192.0.2.1:5432", required, "the namespace front sends everything through the egress gateway, which looks up hosts"},
		{"front/sa/till to https://db.example.com", required, "missing: an Egress in namespace front"},
		{"front/sa/till to https://api.example.com", shop(policy), "Egress policies are disabled in the mesh"},
	} {
		var text strings.Builder
		if err := evaluate(t, test.question, test.entries...).Print(&text); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), test.want) {
			t.Errorf("%s: the answer lacks %q:\n%s", test.question, test.want, text.String())
		}
	}
}

// The proposed Egress allows the call.
func TestRemedyOutside(t *testing.T) {
	for _, question := range []string{
		"front/sa/till to http://api.example.com/a", "front/sa/till to https://api.example.com:8443", "front/sa/till to tcp://192.0.2.1:5432",
		"front/sa/till to http://192.0.2.1:8080", "front/sa/till to https://192.0.2.1", "front/sa/till to tcp://[2001:db8::1]:5432",
	} {
		entries := shop(&catalog.Settings{EgressPolicies: true})
		answer := evaluate(t, question, entries...)
		if answer.Allowed || len(answer.Remedy) != 1 {
			t.Fatalf("%s: the answer is %+v, want a remedy", question, answer)
		}
		policy, problems := ingest.Egress(answer.Remedy[0])
		if policy == nil || len(problems) > 0 {
			t.Fatalf("%s: the remedy is not usable: %v", question, problems)
		}
		if again := evaluate(t, question, append(entries, policy)...); !again.Allowed {
			t.Errorf("%s: the remedy does not allow it: %+v", question, again)
		}
	}
}
