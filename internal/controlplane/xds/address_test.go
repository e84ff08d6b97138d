package xds

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestTokenFromAnotherPodIsRefused connects from an address that another pod has.
func TestTokenFromAnotherPodIsRejected(t *testing.T) {
	m := newMesh()
	thief := meshtest.Pod("elsewhere", "thief", "thief", "thief", "127.0.0.1")
	c := start(t, append(m.entries(), thief)...)
	c.store.MarkSynced()
	p := c.connect(t, c.tokenOf(m.client), fakexds.NewEnvoy())
	if err := p.waitEnd(t); status.Code(err) != codes.PermissionDenied {
		t.Errorf("got %v, want %s", err, codes.PermissionDenied)
	}
	c.remove(thief)
	c.connect(t, c.tokenOf(m.client), fakexds.NewEnvoy()).waitFor(t, fakexds.SecretType, "service-cert")
}
