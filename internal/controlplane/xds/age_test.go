package xds

import (
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// TestOldConnectionsEnd checks that a proxy has to reconnect after a time, and so may reach a replica that was added later.
func TestOldConnectionsEnd(t *testing.T) {
	m := newMesh()
	c := startWith(t, listen(t), controlOptions{age: 200 * time.Millisecond}, m.entries()...)
	c.store.MarkSynced()
	p := c.connect(t, c.tokenOf(m.client), fakexds.NewEnvoy())
	p.waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
	started := time.Now()
	_ = p.waitEnd(t)
	if took := time.Since(started); took > maxConnectionAgeGrace+waitLimit/2 {
		t.Errorf("the stream ended after %s", took)
	}
}
