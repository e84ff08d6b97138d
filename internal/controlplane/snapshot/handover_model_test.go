package snapshot

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

// TestHandoverModel changes permissions while an Envoy takes over from another one, replicas start, and connections break. No connection outlives its
// permission, and none is cut without a loss.
func TestHandoverModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newHandoverModel(t, rt)
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			step := rapid.SampledFrom([]string{"toggle", "toggle", "toggle", "check", "check", "scope", "cut", "move", "outage"}).Draw(rt, "step")
			m.log = append(m.log, step)
			switch step {
			case "toggle":
				m.toggle(rt)
			case "check":
				m.checkBoth(rt)
			case "scope":
				m.lost = true
				m.toggleOther(rt)
			case "cut":
				m.lost, m.fresh = m.lost || m.pending, true
				m.cut(rt)
				m.connect(t, m.proxy.harness)
			case "move":
				m.markDrain(rt)
				m.proxy.close()
				m.later.close()
				m.lost, m.fresh = m.lost || m.pending, true
				m.connectBoth(t, rt, m.replicas[rapid.IntRange(0, 1).Draw(rt, "replica")])
			case "outage":
				m.markDrain(rt)
				m.proxy.close()
				m.later.close()
				m.replicas = nil
				for range rapid.IntRange(0, 3).Draw(rt, "changes") {
					m.toggle(rt)
				}
				m.lost, m.fresh = m.lost || m.pending, true
				m.replicas = []*harness{m.replica(), m.replica()}
				m.connectBoth(t, rt, m.replicas[0])
			}
		}
		m.checkBoth(rt)
	})
}

// handoverModel is a drainModel whose sidecar drains.
type handoverModel struct {
	*drainModel
	later *fakeProxy
	// lost is true if a permission or a port was withdrawn since just before the handover, and marked is true once everything was delivered since.
	lost, marked bool
	// pending is true if a permission was added that may not have been delivered, and fresh if a stream has begun since everything was delivered. A stream that
	// begins with another snapshot than the one that the sidecar has does not know what its listener allows, and removes it.
	pending, fresh bool
}

// newHandoverModel takes over with changes and messages on their way.
func newHandoverModel(t *testing.T, rt *rapid.T) *handoverModel {
	m := &handoverModel{drainModel: newDrainModel(t)}
	m.epoch = 1
	m.proxy.close()
	m.connect(t, m.replicas[0])
	m.check(rt)
	m.later = newEnvoy(t, m.replicas[0], m.server, 2)
	if rapid.Bool().Draw(rt, "a change before") {
		m.toggle(rt)
	}
	m.exchange(rt)
	for m.later.flush(rt); m.later.deliverRequest(rt) || m.later.deliverResponse(rt, false); m.later.flush(rt) {
		m.later.harness.run()
	}
	if rapid.Bool().Draw(rt, "a change between") {
		m.toggle(rt)
	}
	m.exchange(rt)
	m.proxy.envoy.Drain()
	m.drains = true
	m.log = append(m.log, "the sidecar drains")
	return m
}

// toggle grants or withdraws a permission.
func (m *handoverModel) toggle(rt *rapid.T) {
	count := func() int { return len(m.granted[drainPorts[0]]) + len(m.granted[drainPorts[1]]) }
	before := count()
	m.drainModel.toggle(rt)
	m.lost, m.pending = m.lost || m.fresh || count() < before, true
}

// markDrain delivers everything once. Until the control plane has marked the Envoy as one that drains, it recognizes it by the streams of both.
func (m *handoverModel) markDrain(rt *rapid.T) {
	if !m.marked {
		m.checkBoth(rt)
	}
}

// exchange delivers some messages.
func (m *handoverModel) exchange(rt *rapid.T) {
	for range rapid.IntRange(0, 12).Draw(rt, "messages") {
		m.proxy.harness.run()
		m.proxy.flush(rt)
		if !m.proxy.deliverRequest(rt) {
			m.proxy.deliverResponse(rt, false)
		}
	}
}

// connectBoth connects both Envoys, in any order.
func (m *handoverModel) connectBoth(t *testing.T, rt *rapid.T, h *harness) {
	m.later.harness = h
	if rapid.Bool().Draw(rt, "the earlier first") {
		m.connect(t, h)
		m.exchange(rt)
		m.later.open(t)
		m.later.sync(rt)
		return
	}
	m.later.open(t)
	m.later.sync(rt)
	m.connect(t, h)
}

// checkBoth delivers everything.
func (m *handoverModel) checkBoth(rt *rapid.T) {
	m.later.sync(rt)
	m.proxy.sync(rt)
	m.proxy.sync(rt)
	if m.proxy.inForce(envoy.InboundListener) == nil {
		for _, port := range drainPorts {
			m.open[port] = map[string]bool{}
		}
	}
	m.check(rt)
	m.marked, m.pending, m.fresh = true, false, false
	if !m.lost && m.proxy.inForce(envoy.InboundListener) == nil {
		rt.Fatalf("connections are cut though nothing was withdrawn\n%s", strings.Join(m.proxy.log, "\n"))
	}
	if m.later.inForce(envoy.InboundListener) == nil {
		rt.Fatalf("the serving Envoy has no listener\n%s", strings.Join(m.later.log, "\n"))
	}
}
