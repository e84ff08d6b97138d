package envoy

import (
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestEveryPortOfTheSidecarIsGuarded checks the destination ports at which the sidecar inspects outbound connections. Envoy would hand
// plaintext to its own listener of the same port.
func TestEveryPortOfTheSidecarIsGuarded(t *testing.T) {
	guarded := rejectSidecarPorts().GetFilterDisabled().GetNotMatch().GetOrMatch().GetRules()
	for port := int32(1); port <= 65535; port++ {
		want := names.IsReservedPort(uint16(port)) && port != names.AdminPort && port != names.OutboundPort
		if got := matchesPort(guarded, port); got != want {
			t.Errorf("port %d is guarded: %t, want %t", port, got, want)
		}
	}
}

func matchesPort(rules []*listenerv3.ListenerFilterChainMatchPredicate, port int32) bool {
	for _, rule := range rules {
		// Envoy excludes the end of a range.
		if r := rule.GetDestinationPortRange(); port >= r.GetStart() && port < r.GetEnd() {
			return true
		}
	}
	return false
}
