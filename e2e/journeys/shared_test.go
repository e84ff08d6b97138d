package journeys

import (
	"testing"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// What all tests share is touched here, in this order, before the others begin. Permissive mode comes first: switching it off
// takes permissions away, and a replica that takes over later does not know of that. It must not close sessions because of it.
func TestWhatAllShare(t *testing.T) {
	t.Run("permissive mode is switched live", permissiveMode)
	s := theStage(t)
	session, err := s.friend.StartSession(t.Context(), s.server.address(lab.EchoPort))
	must(t, err)
	t.Run("losing a replica of the control plane loses nothing", loseReplicas)
	t.Run("drift is repaired", repairDrift)
	// Draining takes half a minute: what the loss of replicas did to sidecars would have closed the session by now.
	result, err := session.Stop(t.Context())
	must(t, err)
	if result.Failure != "" || result.Exchanges < 100 {
		t.Errorf("a TCP session did not live through the loss of all replicas: %+v", result)
	}
}
