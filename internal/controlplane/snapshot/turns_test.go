package snapshot

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// queueDuring queues a change once the Store has worked for a time.
func (m *slowMesh) queueDuring(work time.Duration, change catalog.Change) {
	advance, due := m.clock, m.now.Add(work)
	m.clock = func() time.Time {
		if now := advance(); now.After(due) {
			m.clock = advance
			m.store.Apply([]catalog.Change{change})
		}
		return m.now
	}
}

// traceOf returns the latest trace of an object.
func (h *harness) traceOf(t *testing.T, ref entity.Ref) status.Trace {
	t.Helper()
	for _, trace := range h.store.Traces() {
		if slices.ContainsFunc(trace.Objects, func(o status.TracedObject) bool { return o.Ref == ref }) {
			return trace
		}
	}
	t.Fatalf("%v has no trace", ref)
	return status.Trace{}
}

// TestChangesOfOthersInterruptALongOne queues a change while the Store rebuilds the sidecars of a tenant. It must not wait for all of them.
func TestChangesOfOthersInterruptALongOne(t *testing.T) {
	m := newSlowMesh(t)
	group := meshtest.Group("a", "routes", "/other")
	m.queueDuring(60*time.Millisecond, catalog.Set(group))
	long := m.edit()
	waited := m.traceOf(t, group.Ref()).Stages[status.StageQueue]
	if long < 3*maxTurn {
		t.Fatalf("the long change takes %v: the test shows nothing", long)
	}
	if waited > maxTurn+20*time.Millisecond {
		t.Errorf("a change of another namespace waited %v for one of %v, want one turn of %v", waited, long, maxTurn)
	}
	if want := fmt.Sprintf("host-%d.example.com", m.edits); !slices.Equal(m.hosts(), []string{want}) {
		t.Errorf("afterwards the host is %v, want %s", m.hosts(), want)
	}
}

// TestInterruptedChangeReachesEveryProxy lets a change interrupt another one that affects the same sidecars. Both must be reported as pending until each
// sidecar has answered, and each trace must have all streams.
func TestInterruptedChangeReachesEveryProxy(t *testing.T) {
	m := newSlowMesh(t)
	other := &catalog.Egress{Name: meshtest.Name("osm-system", "all"), Sources: m.accounts, Hosts: []string{"all.example.com"}, Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}}}
	m.apply(&catalog.Settings{EgressPolicies: true, Namespace: "osm-system"})
	m.queueDuring(100*time.Millisecond, catalog.Set(other))
	m.edit()
	for _, ref := range []entity.Ref{other.Ref(), {Kind: entity.KindEgress, Name: meshtest.Name("hostile", "outside")}} {
		if trace := m.traceOf(t, ref); trace.Streams != len(m.accounts) {
			t.Errorf("%v: the trace has %d streams, want %d", ref, trace.Streams, len(m.accounts))
		}
		p := m.policy(t, ref)
		if p.Proxies != len(m.accounts) || p.Acknowledged != 0 {
			t.Errorf("%v: %d proxies, %d acknowledged; want %d and none", ref, p.Proxies, p.Acknowledged, len(m.accounts))
		}
	}
}

// TestInterruptedChangesLoseNothing compares the configuration after many changes that interrupt each other with that of a mesh in which they were
// applied one by one.
func TestInterruptedChangesLoseNothing(t *testing.T) {
	m, calm := newSlowMesh(t), newSlowMesh(t)
	m.store.running.maxTurn = 0
	queued := 0
	change := func() catalog.Change {
		queued++
		switch queued % 4 {
		case 0:
			return catalog.Set(meshtest.Group("a", "routes", fmt.Sprint("/", queued)))
		case 1:
			egress := &catalog.Egress{Name: meshtest.Name("a", "other"), Sources: m.accounts[queued%40 : queued%40+5], Hosts: []string{fmt.Sprintf("h%d.example.com", queued)}, Ports: []catalog.EgressPort{{Number: 443, Protocol: catalog.ProtocolHTTPS}}}
			return catalog.Set(egress)
		case 2:
			return catalog.Change{Ref: entity.Ref{Kind: entity.KindEgress, Name: meshtest.Name("a", "other")}}
		default:
			pod := meshtest.Pod("hostile", fmt.Sprint("pod-", queued%50), "x", fmt.Sprint("account-", queued%50), fmt.Sprintf("10.2.0.%d", queued%50+1))
			return catalog.Set(pod)
		}
	}
	var changes []catalog.Change
	advance, reads := m.clock, 0
	m.clock = func() time.Time {
		if reads++; reads%37 == 0 && len(changes) < 200 {
			changes = append(changes, change())
			m.store.Apply(changes[len(changes)-1:])
		}
		return advance()
	}
	for range 20 {
		m.edit()
	}
	for range 120 {
		m.wait(time.Second)
	}
	for i := range changes {
		calm.store.Apply(changes[i : i+1])
		calm.run()
	}
	for range 20 {
		calm.edit()
	}
	for range 120 {
		calm.wait(time.Second)
	}
	if len(changes) < 100 {
		t.Fatalf("only %d changes", len(changes))
	}
	for key, n := range m.store.scopes {
		if other := calm.store.scopes[key]; other == nil || n.versions()[resourcetype.Listeners] != other.versions()[resourcetype.Listeners] || n.versions()[resourcetype.Routes] != other.versions()[resourcetype.Routes] {
			t.Errorf("%v: the configuration differs", key)
		}
	}
	if len(m.store.running.batches) != 0 {
		t.Error("a batch still runs")
	}
}
