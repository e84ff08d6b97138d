package envoy

import (
	"net/netip"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// TestCostOfRangesIsLinear checks that an Egress with many ranges does not delay the configuration of all sidecars.
func TestCostOfRangesIsLinear(t *testing.T) {
	const size, factor = 2000, 12
	small, large := fastestChains(size), fastestChains(size*factor)
	if large > small*factor*4 {
		t.Errorf("%v for %d ranges, and %v for %d times as many", small, size, large, factor)
	}
}

// fastestChains measures how long the filter chains of a number of ranges take.
func fastestChains(n int) time.Duration {
	port := authz.EgressPort{Number: 443}
	for i := range n {
		address := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		port.Ranges = append(port.Ranges, authz.EgressRange{Prefix: netip.PrefixFrom(address, 32), AnyTLS: true})
	}
	var best time.Duration
	for range 3 {
		began := time.Now()
		egressChains(&scope.Scope{}, port)
		if elapsed := time.Since(began); best == 0 || elapsed < best {
			best = elapsed
		}
	}
	return best
}
