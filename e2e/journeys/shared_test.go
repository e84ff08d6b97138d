package journeys

import (
	"testing"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// Shared state is changed here, in this order, before the other tests begin. Permissive mode comes first: switching it
// off revokes permissions, and a replica that takes over later has no record of that. It must not close sessions
// because of it.
func TestSharedState(t *testing.T) {
	t.Run("permissive mode changes at runtime", testPermissiveMode)
	s := sharedFixture(t)
	session, err := s.friend.StartSession(t.Context(), s.server.address(lab.EchoPort))
	lab.Must(t, err)
	t.Run("the loss of a control plane replica has no effect", testReplicaLoss)
	t.Run("drift is repaired", testDriftRepair)
	t.Run("osm tap sees all requests of a mesh that logs none", testTapOfAnUnloggedMesh)
	// Draining takes half a minute, so the loss of the replicas would have closed the session by now.
	result, err := session.Stop(t.Context())
	lab.Must(t, err)
	if result.Failure != "" || result.Exchanges < 100 {
		t.Errorf("a TCP session was closed by the loss of the replicas: %+v", result)
	}
	t.Run("osm-init runs as a privileged container", testPrivilegedInitContainer)
}
