package envoy_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// TestLongAccessLogsAreTranslatedOnce compares what a listener costs with a Telemetry of 64 attributes and without one. All listeners contain the same
// loggers, so a long log must cost about as much for ten listeners as for a hundred.
func TestLongAccessLogsAreTranslatedOnce(t *testing.T) {
	attributes := map[string]string{}
	for i := range 64 {
		attributes[fmt.Sprint("key-", i)] = "value"
	}
	log := &telemetry.AccessLog{Metrics: telemetry.AllMetrics, Export: &telemetry.Export{Service: catalog.ExtensionService{}, Attributes: attributes}}
	perListener := func(log *telemetry.AccessLog) float64 {
		allocations := func(listeners int) float64 {
			s := &scope.Scope{Common: scope.Common{TrustDomain: "cluster.local", AccessLog: log}}
			for i := range listeners {
				name := entity.Name{Namespace: "shop", Name: fmt.Sprint("service-", i)}
				s.Outbound = append(s.Outbound, scope.Outbound{
					Service: name, Port: 80, Protocol: inventory.ProtocolHTTP, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 96, 0, byte(i)})},
					Backends: []scope.Backend{{Cluster: scope.ClusterName(name, 8080), Weight: 100}},
				})
			}
			return testing.AllocsPerRun(1, func() { envoy.Build(s) })
		}
		return (allocations(100) - allocations(10)) / 90
	}
	short, long := perListener(nil), perListener(log)
	if long > short+10 {
		t.Errorf("a listener costs %.0f allocations with a long log and %.0f without", long, short)
	}
}
