package names_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestIsGateway checks which app labels are those of gateways.
func TestIsGateway(t *testing.T) {
	for name, want := range map[string]bool{
		names.IngressGateway: true, names.EgressGateway: true, names.PeerGateway: true, names.DedicatedGateway("shop", "web"): true,
		names.Controller: false, names.Injector: false, names.PeerLeaving: false, "": false,
	} {
		if names.IsGateway(name) != want {
			t.Errorf("IsGateway(%q) is not %t", name, want)
		}
	}
}
