package envoy_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// BenchmarkBuild builds the resources of a client by its number of Services.
func BenchmarkBuild(b *testing.B) {
	for _, services := range []int{1, 10, 500} {
		s := &scope.Scope{Common: scope.Common{TrustDomain: "cluster.local"}}
		for i := range services {
			name := entity.Name{Namespace: "shop", Name: fmt.Sprintf("service-%d", i)}
			s.Outbound = append(s.Outbound, scope.Outbound{
				Service: name, Port: 80, Protocol: inventory.ProtocolHTTP,
				Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 96, byte(i >> 8), byte(i)})},
				Backends:  []scope.Backend{{Cluster: scope.ClusterName(name, 8080), Weight: 100}},
			})
			s.Clusters = append(s.Clusters, scope.Cluster{
				Service: name, TargetPort: 8080, Protocol: inventory.ProtocolHTTP,
				Identities: []identity.ServiceAccount{{Namespace: "shop", Name: "server"}},
			})
		}
		b.Run(fmt.Sprintf("services=%d", services), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				envoy.Build(s)
			}
		})
	}
}
