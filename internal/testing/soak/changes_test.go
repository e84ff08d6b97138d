package soak

import (
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/fleet"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// TestChanges changes a mesh over and over, and holds that neither memory nor goroutines nor series grow.
func TestChanges(t *testing.T) {
	p := start(t)
	all := fleet.New(p.mesh, p.tokens)
	all.Connect(p.address, p.tls)
	t.Cleanup(all.Disconnect)
	eventually(t, "all sidecars to connect", func() bool {
		_, complete := all.Reconnected()
		return complete && len(p.Store.Proxies()) == sidecars
	})
	p.settle(t)
	round := p.mesh.Services * mesh.Toggles
	for n := range round { // everything that may happen has happened once
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
	if err := all.Err(); err != nil {
		t.Errorf("a sidecar was disconnected: %v", err)
	}
}

// live makes changes in real time until the time is over and all services are as they were. It reports each minute.
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
