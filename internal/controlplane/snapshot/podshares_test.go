package snapshot

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// podMesh is a slowMesh whose tenant has many Services, which its pods can choose by their labels.
type podMesh struct {
	*slowMesh
	random   *rand.Rand
	pods     []*inventory.Instance
	services int
	waiting  []*pendingStream
}

func newPodMesh(t *testing.T, seed uint64) *podMesh {
	t.Helper()
	m := &podMesh{slowMesh: newSlowMesh(t), random: rand.New(rand.NewPCG(seed, 0)), services: 30}
	for i := range m.services {
		name := fmt.Sprintf("s-%02d", i)
		service := meshtest.Service("hostile", name, name, fmt.Sprintf("10.97.0.%d", i+1), 80, inventory.ProtocolHTTP)
		service.Selector = map[string]string{name: "x"}
		m.apply(service)
	}
	for i := range m.accounts {
		m.pods = append(m.pods, m.store.catalog.View().Pod(entity.Name{Namespace: "hostile", Name: fmt.Sprint("pod-", i)}))
	}
	m.clock = func() time.Time {
		if isBuilding() {
			m.now = m.now.Add(20 * time.Millisecond)
		}
		return m.now
	}
	m.wait(startupPeriod)
	return m
}

// useBursts lets the tenant use what it may use at once.
func (m *podMesh) useBursts() {
	m.store.changeShares.measured["hostile"] = m.now.Add(watchTime)
	m.store.changeShares.shares.Charge("hostile", changesBurst, m.now)
	m.store.lane.shares.Charge("hostile", changesBurst, m.now)
}

// isBuilding reports whether the caller builds a scope. Nothing else takes time in these tests.
func isBuilding() bool {
	callers := make([]uintptr, 32)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, ".rebuildScope") {
			return true
		}
		if !more {
			return false
		}
	}
}

// timed returns how long the Store works for what a function queues.
func (m *podMesh) timed(queue func()) time.Duration {
	began := m.now
	queue()
	m.run()
	return m.now.Sub(began)
}

// relabel gives a pod labels that select other Services.
func (m *podMesh) relabel() *inventory.Instance {
	i := m.random.IntN(len(m.pods))
	pod := *m.pods[i]
	pod.Labels = map[string]string{}
	for range 4 {
		pod.Labels[fmt.Sprintf("s-%02d", m.random.IntN(m.services))] = "x"
	}
	m.pods[i] = &pod
	m.store.Apply([]catalog.Change{catalog.Set(&pod)})
	return &pod
}

// reconnect closes the streams that were bound, and opens one of a pod.
func (m *podMesh) reconnect(pod *inventory.Instance) {
	var waiting []*pendingStream
	for _, p := range m.waiting {
		select {
		case r := <-p.result:
			if r.stream != nil {
				r.stream.Close()
			}
		default:
			waiting = append(waiting, p)
		}
	}
	m.waiting = waiting
	if len(waiting) < 20 {
		m.waiting = append(waiting, m.begin(pod))
	}
}

// begin opens a stream.
func (m *podMesh) begin(pod *inventory.Instance) *pendingStream {
	p := &pendingStream{peer: peerOf(pod), abort: func() {}, result: make(chan connectResult, 1)}
	m.store.addPending(p)
	return p
}

// abuse does one of the things that the owner of pods can do without a pause, and returns how long the Store works.
func (m *podMesh) abuse() time.Duration {
	switch m.random.IntN(3) {
	case 0:
		return m.timed(func() { m.relabel() })
	case 1:
		return m.timed(func() { m.reconnect(m.relabel()) })
	}
	return m.timed(func() { m.reconnect(m.pods[m.random.IntN(len(m.pods))]) })
}

// TestBuildTimeOfANamespaceIsBounded lets a tenant change labels of its pods, and reconnect, without a pause. It gets its share for changes,
// and its share for streams. A pod of another namespace that connects for the first time gets its configuration at once.
func TestBuildTimeOfANamespaceIsBounded(t *testing.T) {
	for seed := range uint64(2) {
		m := newPodMesh(t, seed)
		m.useBursts()
		began, worked := m.now, time.Duration(0)
		for i := 0; m.now.Sub(began) < 40*time.Second; i++ {
			worked += m.abuse()
			worked += m.pause(20 * time.Millisecond)
			if i%50 == 0 {
				m.requireQuickConnect(t, i)
				m.store.dropUnused()
			}
		}
		all := m.now.Sub(began)
		if limit := changesPercent*all/100 + 2*time.Second; worked > limit {
			t.Errorf("seed %d: the Store worked %s of %s for one namespace, want at most %s", seed, worked, all, limit)
		}
	}
}

// pause lets time pass, and returns how long the Store works for what is due.
func (m *podMesh) pause(d time.Duration) time.Duration {
	m.now = m.now.Add(d)
	due := slices.DeleteFunc(slices.Clone(m.timers), func(t slowTimer) bool { return t.at.After(m.now) })
	m.timers = slices.DeleteFunc(m.timers, func(t slowTimer) bool { return !t.at.After(m.now) })
	return m.timed(func() {
		for _, timer := range due {
			timer.f()
		}
	})
}

// requireQuickConnect connects a new pod of another namespace.
func (m *podMesh) requireQuickConnect(t *testing.T, number int) {
	t.Helper()
	name := fmt.Sprint("quick-", number)
	pod := meshtest.Pod("a", name, name, name, fmt.Sprintf("10.2.%d.%d", number/250, number%250+1))
	p := m.begin(pod)
	if took := m.timed(func() { m.store.Apply([]catalog.Change{catalog.Set(pod), catalog.Set(accountOf(pod))}) }); took > time.Second {
		t.Errorf("a pod of another namespace waits %s", took)
	}
	select {
	case r := <-p.result:
		if r.err != nil {
			t.Error(r.err)
		}
		r.stream.Close()
		m.run()
	default:
		t.Error("a pod of another namespace waits for one that has used its share")
	}
}

// TestUrgentPodChangesDoNotWait lets a namespace use its share. New labels of a pod then wait, but not its end, which is the last word about it.
func TestUrgentPodChangesDoNotWait(t *testing.T) {
	m := newPodMesh(t, 1)
	m.useBursts()
	m.store.changeShares.shares.Charge("hostile", 5*time.Second, m.now)
	pod := m.relabel()
	m.run()
	current := func() *inventory.Instance { return m.store.catalog.View().Pod(pod.Name) }
	if current() == pod {
		t.Fatal("labels of a namespace that has used its share are applied at once")
	}
	ending := *pod
	ending.Terminating = true
	m.apply(&ending)
	if current() != &ending {
		t.Error("the end of a pod waits")
	}
	for range 60 {
		m.wait(time.Second)
	}
	if current() != &ending || m.store.changeShares.changes != 0 {
		t.Errorf("an earlier state of the pod replaces the last one, and %d changes wait", m.store.changeShares.changes)
	}
	if relabelled := m.relabel(); m.timed(func() {}) >= 0 && m.store.catalog.View().Pod(relabelled.Name) != relabelled {
		t.Error("labels of a namespace within its share wait")
	}
}

// TestManyQuickBatchesAreMeasured lets two namespaces change something in each of many batches, none of which is slow. Both are measured from then on, and
// neither is charged for what the other may have caused.
func TestManyQuickBatchesAreMeasured(t *testing.T) {
	m := newSlowMesh(t)
	m.clock = func() time.Time {
		if isBuilding() {
			m.now = m.now.Add(10 * time.Millisecond)
		}
		return m.now
	}
	for i := range 50 {
		began := m.now
		m.store.Apply([]catalog.Change{
			catalog.Set(meshtest.Group("a", "g", fmt.Sprint("/", i))),
			catalog.Set(&catalog.Egress{
				Name: meshtest.Name("hostile", "outside"), Sources: m.accounts[:1], Hosts: []string{fmt.Sprintf("host-%d.example.com", i)},
				Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
			}),
		})
		m.run()
		if took := m.now.Sub(began); i == 0 && took >= slowBatch {
			t.Fatalf("a batch takes %s, want a quick one", took)
		}
	}
	for _, namespace := range []string{"hostile", "a"} {
		_, isMeasured := m.store.changeShares.measured[namespace]
		if _, isWaiting := m.store.changeShares.waiting[namespace]; !isMeasured || isWaiting {
			t.Errorf("%s is measured: %t, waits: %t; want that it is measured, and does not wait", namespace, isMeasured, isWaiting)
		}
	}
}
