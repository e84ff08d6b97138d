package soak

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// TestChanges changes a mesh repeatedly, and checks that memory, goroutines and metric series do not grow.
func TestChanges(t *testing.T) {
	p := start(t)
	p.connectAll(t)
	round := p.mesh.Services * mesh.Toggles
	for n := range round { // allocates all state that is kept
		p.toggle(t, n)
	}
	before, steps := take(t, p.Metrics), round
	if *duration == 0 {
		for n := range round {
			p.toggle(t, n)
		}
	} else {
		steps = p.live(t, before)
	}
	compare(t, before, take(t, p.Metrics), steps)
}

// connectAll connects all sidecars, which stay connected and release removed resources.
func (p *plane) connectAll(t *testing.T) {
	t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	var left sync.WaitGroup
	for i := range sidecars {
		left.Go(func() {
			if err := fakexds.Run(ctx, p.options(i), fakexds.NewEnvoy()); ctx.Err() == nil {
				t.Errorf("sidecar %d was disconnected: %v", i, err)
			}
		})
	}
	t.Cleanup(func() {
		leave()
		left.Wait()
	})
	eventually.True(t, timeout, "all sidecars are connected", func() bool { return len(p.Store.Proxies()) == sidecars })
	p.awaitAcknowledged(t)
}

// live makes changes for the given duration and until all services are restored. It logs a census each minute.
func (p *plane) live(t *testing.T, before census) (steps int) {
	t.Helper()
	tick := time.NewTicker(*every)
	defer tick.Stop()
	said := time.Now()
	for end := said.Add(*duration); time.Now().Before(end) || steps%mesh.Toggles != 0; steps++ {
		<-tick.C
		p.toggle(t, steps)
		if time.Since(said) >= time.Minute {
			said = time.Now()
			now := take(t, p.Metrics)
			t.Logf("%d changes: %s, %+d bytes", steps+1, now, int64(now.heap)-int64(before.heap))
		}
	}
	return steps
}
