package upgrade

import (
	"context"
	"os"
	"testing"
	"time"
)

// absence is how long the API server is away. The time itself is what is tested.
const absence = time.Minute

// withoutAPIServer takes the API server away in the middle of the restarts of an upgrade: workloads go on, and when it is back, so does
// the operator.
func withoutAPIServer(t *testing.T) {
	s := openShop(t, newMesh(t, "away", before))
	upgradeInPlace(t, s, func() {
		s.mesh.reaches("Workloads")
		must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "api-server", "stop"))
		// Whatever ends the test must not leave the others without it.
		back := func(ctx context.Context) error {
			return cluster.Repository.Tool(ctx, os.Stderr, "./cluster", "api-server", "start")
		}
		stopped := time.Now()
		t.Logf("stopped the API server at %s", stopped.Format(time.TimeOnly))
		select {
		case <-time.After(absence):
		case <-t.Context().Done():
		}
		must(t, back(context.WithoutCancel(t.Context())))
		t.Logf("the API server was away for %s", time.Since(stopped).Round(time.Second))
	})
}
