package connectivity

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestVerifyEgressPolicies verifies connections to external hosts that an Egress allows, denies, or sends through the egress gateway.
func TestVerifyEgressPolicies(t *testing.T) {
	pod := meshtest.Pod("shop", "web-1", "web", "web", "10.0.0.1")
	egress := &catalog.Egress{
		Name: meshtest.Name("shop", "api"), Sources: []identity.ServiceAccount{meshtest.SA("shop", "web")}, Hosts: []string{"api.example.com"},
		Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}, {Number: 443, Protocol: catalog.ProtocolHTTPS}},
	}
	with := func(change func(*catalog.Egress)) *catalog.Egress {
		copied := *egress
		change(&copied)
		return &copied
	}
	restricted := with(func(e *catalog.Egress) { e.Restricted, e.RouteGroups = true, []string{"public"} })
	ranges := with(func(e *catalog.Egress) {
		e.Ports, e.Prefixes = []catalog.EgressPort{{Number: 5432, Protocol: inventory.ProtocolTCP}}, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	gateway := with(func(e *catalog.Egress) { e.Gateway = &catalog.EgressGateway{} })
	on, open := &catalog.Settings{EgressPolicies: true}, &catalog.Settings{Egress: true, EgressPolicies: true}
	anyProtocol := []inventory.Protocol{catalog.ProtocolHTTPS, inventory.ProtocolHTTP, inventory.ProtocolTCP}
	for name, test := range map[string]struct {
		settings  *catalog.Settings
		policy    *catalog.Egress
		host      string
		port      uint16
		protocols []inventory.Protocol
		severity  diagnosis.Severity
		want      string
		lacks     string
	}{
		"no policy":                    {on, nil, "api.example.com", 443, anyProtocol, diagnosis.Error, "no Egress allows this one", ""},
		"TLS":                          {on, egress, "API.example.com", 443, anyProtocol, diagnosis.OK, "Egress shop/api allows https", ""},
		"http":                         {on, egress, "api.example.com", 80, anyProtocol, diagnosis.OK, "Egress shop/api allows http", ""},
		"another protocol":             {on, egress, "api.example.com", 443, anyProtocol[1:], diagnosis.Error, "no Egress allows this one", ""},
		"another host":                 {on, egress, "other.example.com", 443, anyProtocol, diagnosis.Error, "no Egress allows this one", ""},
		"some requests":                {on, restricted, "api.example.com", 80, anyProtocol, diagnosis.OK, "allows the http requests that match its HTTPRouteGroups", ""},
		"a range":                      {on, ranges, "192.0.2.7", 5432, anyProtocol, diagnosis.OK, "Egress shop/api allows", ""},
		"an address outside the range": {on, ranges, "198.51.100.7", 5432, anyProtocol, diagnosis.Error, "no Egress allows this one", ""},
		"everything":                   {open, egress, "other.example.com", 443, anyProtocol, diagnosis.OK, "egress is enabled in mesh osm", ""},
		"policies are off":             {&catalog.Settings{}, egress, "api.example.com", 443, anyProtocol, diagnosis.Error, "no Egress allows this one", ""},
		"a gateway that is missing":    {on, gateway, "api.example.com", 443, anyProtocol, diagnosis.Error, "the mesh has none", ""},
		"a sidecar without a listener": {on, egress, "api.example.com", 443, anyProtocol, diagnosis.Error, "missing: listener egress_443", "egress_443"},
		"a sidecar without a cluster":  {on, egress, "api.example.com", 443, anyProtocol, diagnosis.Error, "missing: cluster api.example.com:443", "api.example.com:443"},
	} {
		t.Run(name, func(t *testing.T) {
			entries := []catalog.Entry{test.settings, &catalog.Namespace{Name: "shop", Monitored: true}, pod, meshtest.Group("shop", "public", "/public/.*")}
			if test.policy != nil {
				entries = append(entries, test.policy)
			}
			m := Mesh{
				Mesh: explain.Mesh{Name: "osm", Catalog: meshtest.Apply(entries...)}, TrustDomain: "cluster.local",
				Pod: func(context.Context, entity.Name) (*corev1.Pod, error) { return &corev1.Pod{}, nil },
			}
			m.Sidecar = func(context.Context, entity.Name) (*Sidecar, error) {
				s := &Sidecar{active: map[part]map[string]bool{listeners: {}, chains: {}, clusters: {}, routes: {}}}
				for _, i := range m.expected(m.Catalog.View(), pod) {
					s.active[i.part][i.name] = i.name != test.lacks
				}
				return s, nil
			}
			check := m.verifyEgress(t.Context(), m.Catalog.View(), Outside{From: pod.Name, Host: test.host, Port: test.port, Protocols: test.protocols})
			var text strings.Builder
			_ = check.PrintSteps(&text)
			if check.Severity != test.severity || !strings.Contains(text.String(), test.want) {
				t.Errorf("the check is\n%s\nwant %s with %q", text.String(), test.severity, test.want)
			}
		})
	}
}
