package envoy

import (
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/cost"
)

// BenchmarkLinearRanges measures that an Egress with many ranges does not delay the configuration of all sidecars.
func BenchmarkLinearRanges(b *testing.B) {
	const size, factor = 1500, 12
	operation := func(n int) func() {
		port := authz.EgressPort{Number: 443}
		for i := range n {
			address := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			port.Ranges = append(port.Ranges, authz.EgressRange{Prefix: netip.PrefixFrom(address, 32), AnyTLS: true})
		}
		return func() { egressChains(translationOf(&scope.Scope{}), port) }
	}
	cost.Linear(b, factor, operation(size), operation(size*factor))
}
