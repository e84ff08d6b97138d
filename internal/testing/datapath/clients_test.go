package datapath

import (
	"fmt"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
	"github.com/openservicemesh/osm-operator/internal/testing/procusage"
)

// BenchmarkMemoryOfClients measures the memory of a sidecar whose application has a TCP port, for a number of clients that may connect to it.
func BenchmarkMemoryOfClients(b *testing.B) {
	for _, clients := range []int{1, 10, scope.MaxClientChains, 2 * scope.MaxClientChains} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			n := pods.NewNetwork(b)
			server := sidecar(b, n, "server")
			server.Configure(b, withClients(clients))
			var used procusage.Usage
			for b.Loop() {
				used = usageOf(b, server.PID)
			}
			b.ReportMetric(float64(used.Resident)/1e6, "MB")
			b.ReportMetric(float64(used.Private)/1e6, "private-MB")
		})
	}
}

// withClients returns a server with a TCP port and clients of it.
func withClients(count int) *scope.Scope {
	var sources []identity.ServiceAccount
	for i := range count {
		sources = append(sources, identity.ServiceAccount{Namespace: "shop", Name: fmt.Sprintf("client-%03d", i)})
	}
	s := serverScope(protocols[0])
	s.Inbound = []scope.Inbound{{
		Service: service, Port: 5432, TargetPort: 5432, Protocol: inventory.ProtocolTCP,
		Rules: authz.Rules{Network: []authz.NetworkRule{{Policy: "shop/clients", Sources: sources}}},
	}}
	return s
}
