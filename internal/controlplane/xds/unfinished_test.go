package xds

import (
	"sync"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

const (
	// hostileConnections is how many connections a hostile client opens, hostileStreams how many streams on each.
	hostileConnections = 200
	hostileStreams     = 8
	// maxHostileGrowth is the maximum growth of the heap meanwhile, in bytes. It includes the clients, which share the process.
	maxHostileGrowth = 128 << 20
)

// TestUnfinishedMessagesAreBounded sends messages that never end on many streams, as different pods. Each frame has at most frame bytes.
func TestUnfinishedMessagesAreBounded(t *testing.T) {
	outside := meshtest.Pod("outside", "pod", "account", "app", "10.0.0.50")
	deleted := meshtest.Pod("a", "deleted", "deleted", "deleted", "10.0.0.51")
	sidecar := meshtest.Pod("a", "sidecar", "sidecar", "sidecar", "10.0.0.52")
	for _, tc := range []struct {
		name  string
		pod   *inventory.Instance
		frame int
	}{
		{"a pod outside of the mesh", outside, 16 << 10},
		{"a deleted pod", deleted, 16 << 10},
		{"a sidecar of the mesh", sidecar, 16 << 10},
		{"a sidecar of the mesh with small frames", sidecar, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMesh()
			c := start(t, append(m.entries(), deleted, sidecar, accountOf(deleted), accountOf(sidecar))...)
			c.remove(deleted)
			c.store.MarkSynced()
			good := c.connect(t, c.tokenOf(m.client), fakexds.NewEnvoy())
			good.waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
			token := c.tokenOf(tc.pod)
			newcomer := c.tokenOf(m.server)
			before := heap()
			var wait sync.WaitGroup
			for range hostileConnections {
				client := c.dialHostile(t)
				for n := range hostileStreams {
					id := client.open([]string{loadMethod, deltaMethod, sotwMethod}[n%3], token)
					wait.Go(func() { client.send(id, unfinished, tc.frame) })
				}
			}
			worst := uint64(0)
			for range 15 { // until the server ends streams
				time.Sleep(100 * time.Millisecond)
				worst = max(worst, heap())
			}
			if grown := int64(worst) - int64(before); grown > maxHostileGrowth {
				t.Errorf("the heap has grown by %d MB, the limit is %d MB", grown>>20, maxHostileGrowth>>20)
			}
			began := time.Now()
			c.connect(t, newcomer, fakexds.NewEnvoy()).waitFor(t, fakexds.SecretType, "service-cert")
			second := meshtest.Pod("a", "second", "server", "server", "10.0.1.1")
			c.apply(second, meshtest.Slice(m.service.Name, m.server, second))
			good.waitFor(t, fakexds.EndpointType, "a/server|80")
			if took := time.Since(began); took > latest {
				t.Errorf("good sidecars waited %s", took)
			}
		})
	}
}
