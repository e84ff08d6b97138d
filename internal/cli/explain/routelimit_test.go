package explain_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestAskNamesTheRouteLimit checks that requests which only the route limit denies are not called allowed, and that the answer has the reason.
func TestAskNamesTheRouteLimit(t *testing.T) {
	web, till := SA("shop", "web"), SA("front", "till")
	group := Group("shop", "many")
	for i := range authz.MaxRoutes/2 + 1 {
		group.Matches = append(group.Matches, catalog.HTTPMatch{Name: fmt.Sprint(i), PathRegex: fmt.Sprint("/", i)})
	}
	other := *group
	other.Name = Name("front", "many")
	service := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	service.Ports = append(service.Ports, inventory.Port{Number: 81, TargetPort: 81, Protocol: inventory.ProtocolHTTP})
	ingress := &ingressbackend.Policy{Name: Name("shop", "in"), RouteGroups: []string{"many"}}
	for _, port := range service.Ports {
		ingress.Backends = append(ingress.Backends, ingressbackend.Port{Service: service.Name, TargetPort: port.TargetPort})
	}
	egress := &catalog.Egress{
		Name: Name("front", "out"), Sources: []identity.ServiceAccount{till}, Hosts: []string{"a.example.com", "b.example.com"}, Restricted: true,
		Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}}, RouteGroups: []string{"many"},
	}
	entries := shop(
		&catalog.Settings{EgressPolicies: true, IngressBackends: true}, service, group, &other, ingress, egress,
		Target("t", web, []catalog.TargetRule{HTTP("many")}, till),
	)
	const denied, limit = "DENIED", "reason TooManyRoutes"
	for question, want := range map[string][]string{
		"front/sa/till shop/svc/web:80 GET /1": {"ALLOWED by TrafficTarget shop/t"},
		"front/sa/till shop/svc/web:81 GET /1": {denied, "port 81 of pods of shop/web denies all requests of the mesh", limit},
		"front/sa/till shop/svc/web:81":        {denied, "port 81 of pods of shop/web", limit},
		"outside shop/svc/web:80 GET /1":       {"ALLOWED"},
		"outside shop/svc/web:81 GET /1":       {denied, "reset: the connection is closed", "at most 50000 matches and clients for all ports", limit},
		"front/sa/till http://a.example.com/1": {"ALLOWED by Egress front/out"},
		"front/sa/till http://b.example.com/1": {denied, "the Egresses of front/till have more than 50000 hosts, ranges and routes", limit},
		"front/sa/till shop/svc/db":            {denied, "kind: TCPRoute"},
	} {
		var text strings.Builder
		if err := evaluate(t, question, entries...).Print(&text); err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(text.String(), part) {
				t.Errorf("%s: the answer does not have %q:\n%.2000s", question, part, text.String())
			}
		}
		if want[0] != denied && strings.Contains(text.String(), limit) {
			t.Errorf("%s: the answer has the limit", question)
		}
	}
}

// TestAskNamesTheRouteLimitOfPermissivePorts checks that ports beyond the limit are denied in permissive mode too.
func TestAskNamesTheRouteLimitOfPermissivePorts(t *testing.T) {
	const ports = 1000
	entries := shop(&catalog.Settings{Permissive: true})
	for i := range authz.MaxRoutes/ports + 1 {
		service := Service("shop", fmt.Sprintf("s%02d", i), "web", fmt.Sprint("10.97.0.", i), 1, inventory.ProtocolHTTP)
		service.Ports = nil
		for port := range uint16(ports) {
			service.Ports = append(service.Ports, inventory.Port{Number: port + 1, TargetPort: port + 1, Protocol: inventory.ProtocolHTTP})
		}
		entries = append(entries, service, Slice(service.Name, Pod("shop", "web-0", "web", "web", "10.0.0.1")))
	}
	if answer := evaluate(t, "front/sa/till shop/svc/s00:1 GET /", entries...); !answer.Allowed {
		t.Errorf("within the limit: %+v", answer)
	}
	if answer := evaluate(t, "front/sa/till shop/svc/s50:1000 GET /", entries...); answer.Allowed || len(answer.Missing) != 1 || answer.Missing[0].Remedy != "use fewer ports in the Services of these pods" {
		t.Errorf("beyond the limit: %+v", answer)
	}
}
