package upgrade

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// outage is how long the API server is stopped. The duration itself is under test.
const outage = time.Minute

// testAPIServerOutage stops the API server during the restarts of an upgrade. Workloads keep working, and the operator
// continues when the API server is back.
func testAPIServerOutage(t *testing.T) {
	s := deployShop(t, newMesh(t, "outage", cluster.Earlier))
	upgradeInPlace(t, s, func() {
		s.mesh.awaitPhase("Workloads")
		lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "api-server", "stop"))
		// The API server is started again even if the test fails.
		restore := func(ctx context.Context) error {
			return cluster.Repository.Tool(ctx, os.Stderr, "./cluster", "api-server", "start")
		}
		stopped := time.Now()
		t.Logf("stopped the API server at %s", stopped.Format(time.TimeOnly))
		select {
		case <-time.After(outage):
		case <-t.Context().Done():
		}
		lab.Must(t, restore(context.WithoutCancel(t.Context())))
		t.Logf("the API server was stopped for %s", time.Since(stopped).Round(time.Second))
	})
}
