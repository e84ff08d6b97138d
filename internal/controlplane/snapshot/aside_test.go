package snapshot

import (
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestPostponedChangesReachTheirStreams lets a change come that affects only the scope that is translated. Both traces have its stream, and neither is complete.
func TestPostponedChangesReachTheirStreams(t *testing.T) {
	m := newAsideMesh(t)
	m.apply(&catalog.Settings{EgressPolicies: true, Namespace: "osm-system"})
	m.clock = func() time.Time { m.now = m.now.Add(time.Millisecond); return m.now }
	own, other := egressOf("hostile", "one.example.com"), egressOf("osm-system", "two.example.com")
	m.during(t, other)
	m.apply(own)
	for name, ref := range map[string]entity.Ref{"interrupted": own.Ref(), "other": other.Ref()} {
		if trace := m.traceOf(t, ref); trace.Streams != 1 || trace.Open != 1 || trace.Duration != 0 {
			t.Errorf("the trace of the %s change has %d streams, %d of them open, and took %v; want one that is open", name, trace.Streams, trace.Open, trace.Duration)
		}
	}
	if first, last := m.policy(t, own.Ref()).ChangedAt, m.policy(t, other.Ref()).ChangedAt; !first.Equal(last) {
		t.Errorf("the policies count as changed at %v and %v, want that both do when the scope has them", first, last)
	}
}

// TestInterruptingChangesHaveTheirOwnStreams lets a change of other scopes come during a translation. Each trace has the streams of its own scopes.
func TestInterruptingChangesHaveTheirOwnStreams(t *testing.T) {
	m := newAsideMesh(t)
	own, other := egressOf("hostile", "one.example.com"), meshtest.Group("a", "routes", "/other")
	m.during(t, other)
	m.apply(own)
	for name, ref := range map[string]entity.Ref{"interrupted": own.Ref(), "other": other.Ref()} {
		if trace := m.traceOf(t, ref); trace.Streams != 1 || trace.Scopes < 1 {
			t.Errorf("the trace of the %s change has %d streams and %d scopes, want one stream", name, trace.Streams, trace.Scopes)
		}
	}
}

// countStarts counts the translations on other goroutines. Each of the first ones is affected by a change of the namespace of the mesh.
func (m *asideMesh) countStarts(t *testing.T, affected int) *int {
	t.Helper()
	starts := 0
	m.store.running.start = func(translate func()) {
		starts++
		if starts > affected {
			go translate()
			return
		}
		change := catalog.Set(egressOf("osm-system", string(rune('a'+starts))+".example.com"))
		queuedAt := m.now
		go func() {
			m.store.queue.addChanges([]catalog.Change{change}, queuedAt)
			for end := time.Now().Add(20 * time.Second); m.store.queue.changeCount() > 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
			}
			translate()
		}()
	}
	return &starts
}

// TestTranslationsAreInterruptedFewTimes lets each translation of a scope be affected by another change. After some of them, changes wait.
func TestTranslationsAreInterruptedFewTimes(t *testing.T) {
	m := newAsideMesh(t)
	m.apply(&catalog.Settings{EgressPolicies: true, Namespace: "osm-system"})
	starts := m.countStarts(t, 2*maxInterruptedTranslations)
	if m.apply(egressOf("hostile", "one.example.com")); *starts != maxInterruptedTranslations {
		t.Errorf("the scope was translated %d times while others could interrupt, want %d", *starts, maxInterruptedTranslations)
	}
}

// TestLargeScopesAreTranslatedAside checks which scopes are translated on another goroutine: large ones, in their turn of a batch that can be interrupted.
func TestLargeScopesAreTranslatedAside(t *testing.T) {
	m := newAsideMesh(t)
	m.apply(egressOf("hostile", "a.example.com"))
	n := m.hostile.scope.Load()
	starts := m.countStarts(t, 0)
	for _, step := range []struct {
		name string
		do   func()
		want int
	}{
		{"a scope of the size", func() { m.store.running.leastAside = n.bytes; m.apply(egressOf("hostile", "b.example.com")) }, 1},
		{"a smaller scope", func() { m.store.running.leastAside = n.bytes + 1; m.apply(egressOf("hostile", "c.example.com")) }, 0},
		{"without a batch", func() { m.store.running.leastAside = 0; m.store.Resync(); m.run() }, 0},
		{"another scope than that of the turn", func() {
			m.store.running.begin(&runningBatch{})
			n.stale = true
			m.store.rebuildScope(n)
			m.store.running.batches = nil
		}, 0},
		{"too many interrupted batches", func() {
			last := &runningBatch{}
			m.store.running.batches = []*runningBatch{{}, {}, last}
			n.stale = true
			m.store.rebuildInTurn(last, n)
			m.store.running.batches = nil
		}, 0},
		{"its turn", func() {
			batch := &runningBatch{}
			m.store.running.begin(batch)
			n.stale = true
			m.store.rebuildInTurn(batch, n)
			m.store.running.batches = nil
		}, 1},
	} {
		*starts = 0
		if step.do(); *starts != step.want {
			t.Errorf("%s: %d translations on other goroutines, want %d", step.name, *starts, step.want)
		}
	}
}

// TestPostponedBatchesEndWithTheirLastScope rebuilds two scopes for a batch that had to leave both to others.
func TestPostponedBatchesEndWithTheirLastScope(t *testing.T) {
	entries := twoServices()
	client, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	group := meshtest.Group("a", "routes", "/x/y")
	other := &runningBatch{postponed: 2, trace: h.store.tracer.Begin(status.Batch{Changes: []catalog.Change{catalog.Set(group)}}, h.now, func(catalog.Change) bool { return true })}
	before := h.latestTrace().Number
	for i, pod := range []*inventory.Instance{client, server} {
		h.store.rebuildInTurn(&runningBatch{affectedBy: []*runningBatch{other}}, h.connect(t, pod).scope.Load())
		if hasEnded := h.latestTrace().Number != before; hasEnded != (i == 1) {
			t.Errorf("after %d of two scopes, the trace has ended: %t", i+1, hasEnded)
		}
	}
}

// TestInterruptedBatchesRebuildNothingTwice lets a change of the same scopes interrupt a long one, which must not rebuild those again that have both changes.
func TestInterruptedBatchesRebuildNothingTwice(t *testing.T) {
	m := newSlowMesh(t)
	other := &catalog.Egress{Name: meshtest.Name("osm-system", "all"), Sources: m.accounts, Hosts: []string{"all.example.com"}, Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}}}
	m.apply(&catalog.Settings{EgressPolicies: true, Namespace: "osm-system"})
	m.queueDuring(100*time.Millisecond, catalog.Set(other))
	m.edit()
	own := m.traceOf(t, entity.Ref{Kind: entity.KindEgress, Name: meshtest.Name("hostile", "outside")}).Scopes
	if got := m.traceOf(t, other.Ref()).Scopes; got != len(m.accounts) || own == 0 || own >= len(m.accounts) {
		t.Errorf("the interrupted change rebuilds %d scopes, and the other one %d; want some of %d, and all", own, got, len(m.accounts))
	}
}

// TestOrderOfScopes rebuilds scopes in turns: those with shared destinations first, and large ones last.
func TestOrderOfScopes(t *testing.T) {
	namespaces := make([]string, 14)
	for i := range namespaces {
		namespaces[i] = "a"
	}
	m := newPermissiveMesh(t, namespaces...)
	strict := false
	vault := meshtest.Pod("bank", "vault", "vault", "vault", "10.0.0.99")
	service := meshtest.Service("bank", "vault", "vault", "10.96.0.99", 80, inventory.ProtocolHTTP)
	var clients []identity.ServiceAccount
	for _, pod := range m.pods[:10] {
		clients = append(clients, pod.Identity())
	}
	m.apply(&catalog.Namespace{Name: "bank", Monitored: true, Permissive: &strict}, vault, service, meshtest.Slice(service.Name, vault), meshtest.Group("bank", "all", "/.*"),
		meshtest.Target("t", vault.Identity(), []catalog.TargetRule{meshtest.HTTP("all")}, clients...))
	scopes, waiting := map[*scopeNode]struct{}{}, map[*scopeNode]string{}
	for i := range m.pods {
		n := m.scope(i)
		n.stale = true
		scopes[n], waiting[n] = struct{}{}, "small"
		if n.shared != nil {
			waiting[n] = "sharing"
		} else if i < 4 {
			m.store.budgets.large[n], waiting[n] = 1, "large"
		}
	}
	var order []string
	look := func() time.Time {
		for n, kind := range waiting {
			if !n.stale {
				order = append(order, kind)
				delete(waiting, n)
			}
		}
		return m.now
	}
	m.store.config.Now = look
	m.store.trace = m.store.tracer.Begin(status.Batch{Changes: []catalog.Change{catalog.Set(service)}}, m.now, func(catalog.Change) bool { return true })
	m.store.running.begin(&runningBatch{turnBegan: m.now, remaining: scopes})
	m.store.rebuildInTurns(scopes)
	look()
	m.store.tracer.Finish(m.store.trace, m.now)
	for i, kind := range order {
		want := "small"
		if i < 4 {
			want = "sharing"
		} else if i >= 10 {
			want = "large"
		}
		if kind != want {
			t.Errorf("the scope %d is %s, want %s: %v", i, kind, want, order)
		}
	}
	if got := m.latestTrace().Scopes; got != len(m.pods) || len(waiting)+len(scopes) != 0 {
		t.Errorf("%d scopes are rebuilt, %d are not, and %d are left to rebuild; want each once", got, len(waiting), len(scopes))
	}
}

// TestTurnsEndInTime checks after what time a batch lets changes of others come.
func TestTurnsEndInTime(t *testing.T) {
	for elapsed, want := range map[time.Duration]int{maxTurn - 1: 1, maxTurn: 0, maxTurn + 1: 0} {
		entries := twoServices()
		client, _ := podsOf(entries)
		h := newSyncedHarness(entries...)
		n := h.connect(t, client).scope.Load()
		h.store.running.begin(&runningBatch{turnBegan: h.now.Add(-elapsed)})
		h.store.Apply([]catalog.Change{catalog.Set(&catalog.Namespace{Name: "other", Monitored: true})})
		h.store.rebuildInTurns(map[*scopeNode]struct{}{n: {}})
		if got := h.store.queue.changeCount(); got != want {
			t.Errorf("%v after the turn has begun, %d changes wait, want %d", elapsed, got, want)
		}
	}
}
