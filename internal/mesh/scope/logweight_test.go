package scope_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestLongLogsOfManyListenersHaveTheDefaultFormat checks that the format and the attributes of a Telemetry do not multiply with the ports of a sidecar
// without a limit. The filter and the collector stay.
func TestLongLogsOfManyListenersHaveTheDefaultFormat(t *testing.T) {
	egress := &catalog.Egress{Name: Name("a", "outside"), Sources: []identity.ServiceAccount{SA("a", "client")}}
	for i := range 1000 {
		egress.Hosts = append(egress.Hosts, fmt.Sprintf("h%d.example.com", i))
	}
	for i := range uint16(4) {
		egress.Ports = append(egress.Ports, catalog.EgressPort{Number: 8000 + i, Protocol: catalog.ProtocolHTTPS})
	}
	service := catalog.ExtensionService{Name: Name("a", "otel"), Address: "otel.example.com", Port: 4317}
	const length = 4096 // of 16 MiB, each of 4,096 chains can have as much
	for name, test := range map[string]struct {
		hosts     int
		telemetry telemetry.Policy
		limited   bool
	}{
		"a text":                           {999, telemetry.Policy{Text: strings.Repeat("a", length)}, false},
		"keys and attributes":              {999, telemetry.Policy{Fields: map[string]string{"a": strings.Repeat("a", length/2)}, Attributes: map[string]string{"b": strings.Repeat("a", length/2-2)}}, false},
		"a text for too many":              {1000, telemetry.Policy{Text: strings.Repeat("a", length+200)}, true},
		"keys and attributes for too many": {1000, telemetry.Policy{Fields: map[string]string{"a": strings.Repeat("a", length/2)}, Attributes: map[string]string{"b": strings.Repeat("a", length/2+200)}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			few := *egress
			few.Hosts = egress.Hosts[:test.hosts]
			policy := test.telemetry
			policy.Name, policy.Filter, policy.Export = Name("a", "log"), "response.code >= 400", service.Name
			c := Apply(&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "a", Monitored: true}, &few, &service, &policy)
			s := scope.Build(c.View(), trustDomain, scope.Key{Identity: SA("a", "client"), Telemetry: policy.Name})
			isDefault := s.AccessLog.Text == "" && len(s.AccessLog.Fields) == 0 && len(s.AccessLog.Export.Attributes) == 0
			if isDefault != test.limited || s.AccessLog.Filter != policy.Filter || s.AccessLog.Export.Service.Name != service.Name {
				t.Errorf("the log is %.300v", s.AccessLog)
			}
			want := "[]"
			if test.limited {
				want = "[{Telemetry a/log}]"
			}
			if got := fmt.Sprint(s.Limited); got != want {
				t.Errorf("limited are %s, want %s", got, want)
			}
		})
	}
}
