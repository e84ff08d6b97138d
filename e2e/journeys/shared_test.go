package journeys

import (
	"testing"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// What all tests share is touched here, in this order, before the others begin.
func TestWhatAllShare(t *testing.T) {
	t.Run("permissive mode is switched live", permissiveMode)
	s := theStage(t)
	session, err := s.friend.StartSession(t.Context(), s.server.address(lab.EchoPort))
	must(t, err)
	t.Run("losing a replica of the control plane loses nothing", loseReplicas)
	t.Run("drift is repaired", repairDrift)
	// Whatever the loss of a replica did to sidecars would have closed the session by now: draining takes half a minute.
	result, err := session.Stop(t.Context())
	must(t, err)
	if result.Failure != "" || result.Exchanges < 100 {
		t.Errorf("a TCP session did not live through the loss of all replicas: %+v", result)
	}
}
