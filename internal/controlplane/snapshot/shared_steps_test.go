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
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestSharedStagesHaveTheirOwnTime lets time pass while shared destinations are built, and while they are translated. Each counts for its own stage.
func TestSharedStagesHaveTheirOwnTime(t *testing.T) {
	for name, test := range map[string]struct {
		// state changes at the end of the work.
		state func(l *sharedLayer) any
		want  status.Stage
	}{
		"built":      {func(l *sharedLayer) any { return l.of.current }, status.StageScope},
		"translated": {func(l *sharedLayer) any { return len(l.contents[resourcetype.Listeners]) }, status.StageEnvoy},
	} {
		m := newPermissiveMesh(t, "a", "a")
		l := m.scope(0).shared
		before := test.state(l)
		m.clock = func() time.Time {
			if state := test.state(l); state != before {
				before, m.now = state, m.now.Add(time.Second)
			}
			return m.now
		}
		backend := meshtest.Pod("b", "backend", "backend", "backend", "10.0.0.9")
		service := meshtest.Service("b", "new", "backend", "10.96.0.50", 80, inventory.ProtocolHTTP)
		m.apply(&catalog.Namespace{Name: "b", Monitored: true}, backend, service)
		stages := m.traceOf(t, service.Ref()).Stages
		for _, stage := range []status.Stage{status.StageScope, status.StageEnvoy} {
			want := time.Duration(0)
			if stage == test.want {
				want = time.Second
			}
			if stages[stage] != want {
				t.Errorf("%s: the stage %s took %v, want %v", name, stage, stages[stage], want)
			}
		}
	}
}

// TestSharedChangesRebuildFewScopes counts the scopes that are rebuilt after changes of shared destinations, for clients that load them on demand, for one that
// retries requests, and for others.
func TestSharedChangesRebuildFewScopes(t *testing.T) {
	entries, client := onDemandMesh()
	_, server := podsOf(entries)
	server.OnDemand = true
	backend := meshtest.Pod("a", "backend", "backend", "server", "10.0.0.9")
	h := newSyncedHarness(append(entries, backend)...)
	onDemand := []*Stream{h.connect(t, client), h.connect(t, server)}
	retrying, _ := newRetryingClient(t)
	retrying.apply(backend)
	service := func(name, app, address string, port uint16) catalog.Entry {
		return meshtest.Service("a", name, app, address, port, inventory.ProtocolHTTP)
	}
	admitting := meshtest.Service("a", "third", "backend", "10.96.0.8", 81, inventory.ProtocolHTTP)
	admitting.AllowedNamespaces = []string{"a"}
	for _, step := range []struct {
		name   string
		h      *harness
		change catalog.Entry
		want   int
	}{
		{"a Service with the port of another one", h, service("other", "backend", "10.96.0.7", 80), 2},
		{"a Service with another port", h, service("third", "backend", "10.96.0.8", 81), 4},
		{"a Service without a difference", h, admitting, 0},
		{"a Service of clients of which one retries", retrying.harness, service("other", "backend", "10.96.0.7", 80), 3},
		{"settings of all, and a client that retries", retrying.harness, &catalog.Settings{Permissive: true, RetryPolicies: true, TLS: catalog.TLS{MinVersion: "TLSv1_3"}}, 4},
	} {
		step.h.store.Resync()
		step.h.run()
		before := step.h.latestTrace().Number
		step.h.apply(step.change)
		if got := step.h.latestTrace(); got.Scopes != step.want || got.Number == before {
			t.Errorf("%s: %d scopes are rebuilt, want %d", step.name, got.Scopes, step.want)
		}
	}
	if onDemand[0].scope.Load().shared == nil || onDemand[0].scope.Load().shared != onDemand[1].scope.Load().shared {
		t.Error("the clients that load destinations on demand do not share them")
	}
}

// TestPoliciesOfSharedDestinationsAreKnown adds a policy about shared destinations. It is among those that a client may reject, and all clients have it.
func TestPoliciesOfSharedDestinationsAreKnown(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a", "b")
	d := m.scope(0).shared.of
	if got := m.store.policiesOf(d); len(got) != 0 {
		t.Errorf("the shared destinations depend on %v, want no policy", got)
	}
	split, group := m.splitOf(0, "/x")
	m.apply(group, split)
	for _, ref := range []entity.Ref{split.Ref(), group.Ref()} {
		if got := m.store.policiesOf(d); !slices.Contains(got, ref) {
			t.Errorf("the shared destinations depend on %v, want %v among them", got, ref)
		}
		if got := m.store.catalog.Policies(m.store.dependencies(m.scope(2))); !slices.Contains(got, ref) {
			t.Errorf("a client depends on %v, want %v among them", got, ref)
		}
	}
	if got := m.policy(t, split.Ref()); got.Proxies != len(m.pods) {
		t.Errorf("%d proxies have the policy, want %d", got.Proxies, len(m.pods))
	}
}

// TestReleasedSetsLeaveNothing corrects a quarantined policy. The destinations without it are dropped, with all that they were built from.
func TestReleasedSetsLeaveNothing(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a", "b")
	split, group := m.splitOf(0, "/rejected")
	m.apply(split, group)
	m.quarantine(2, group.Ref())
	if got := [2]int{len(m.store.shared.list), len(m.store.shared.index.Dependencies)}; got != [2]int{2, 2} {
		t.Fatalf("there are %v sets of destinations, and in the index, want two", got)
	}
	m.apply(meshtest.Group("a", "s0", "/corrected"))
	if got := [2]int{len(m.store.shared.list), len(m.store.shared.index.Dependencies)}; got != [2]int{1, 1} {
		t.Errorf("after the correction there are %v sets of destinations, and in the index, want one", got)
	}
}

// TestSetsWithoutScopesAreNotBuilt changes what shared destinations without scopes depend on.
func TestSetsWithoutScopesAreNotBuilt(t *testing.T) {
	m := newPermissiveMesh(t, "a")
	unused := &sharedDestinations{without: map[entity.Ref]struct{}{}, parts: newSharedParts(), layers: map[sharedKey]*sharedLayer{}}
	m.store.shared.add(unused)
	m.store.shared.index.Set(unused, []entity.Dep{{Kind: entity.DepSettings}})
	if m.apply(&catalog.Settings{Permissive: true, Egress: true}); unused.current != nil {
		t.Error("shared destinations that no scope uses are built")
	}
}

// TestFirstDestinationConcernsAllClients adds the first destination that a client may call, and removes it. What a client does not share depends on whether
// there are any.
func TestFirstDestinationConcernsAllClients(t *testing.T) {
	client, backend := meshtest.Pod("a", "client", "client", "client", "10.0.0.1"), meshtest.Pod("a", "backend", "backend", "backend", "10.0.0.2")
	h := newSyncedHarness(&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Settings{Permissive: true}, client, accountOf(client), backend)
	n := h.connect(t, client).scope.Load()
	first, second := meshtest.Service("a", "first", "backend", "10.96.0.1", 80, inventory.ProtocolHTTP), meshtest.Service("a", "second", "backend", "10.96.0.2", 80, inventory.ProtocolHTTP)
	for _, step := range []struct {
		name string
		do   func()
		want int
	}{
		{"the first", func() { h.apply(first) }, 2},
		{"the second", func() { h.apply(second) }, 1},
		{"without the first", func() { h.remove(first) }, 1},
		{"without the last", func() { h.remove(second) }, 2},
	} {
		if step.do(); h.latestTrace().Scopes != step.want || n.shared == nil {
			t.Errorf("%s: %d scopes are rebuilt, want %d", step.name, h.latestTrace().Scopes, step.want)
		}
	}
}

// TestManyQuarantinedSetsLeaveTheCommonOne builds the destinations of a client without quarantined policies while there are as many other sets as there may be.
func TestManyQuarantinedSetsLeaveTheCommonOne(t *testing.T) {
	m := newPermissiveMesh(t, "a")
	n := m.scope(0)
	m.store.releaseShared(n.shared, n)
	for i := range maxQuarantinedSets {
		policies := map[entity.Ref]struct{}{{Kind: entity.KindTrafficSplit, Name: meshtest.Name("a", fmt.Sprint(i))}: {}}
		m.store.shared.add(&sharedDestinations{without: policies, cause: "a", parts: newSharedParts(), layers: map[sharedKey]*sharedLayer{}})
	}
	if m.store.sharedFor(n, nil) == nil {
		t.Error("a client without quarantined policies has destinations of its own")
	}
}

// TestClientsWithTheSameLogShareIt connects more clients with the same log after its namespace has as many logs as it may have.
func TestClientsWithTheSameLogShareIt(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a")
	m.apply(&telemetry.Policy{Name: meshtest.Name("a", "log"), Selector: m.pods[0].Labels, Text: "format"})
	d := m.scope(1).shared.of
	log := m.scope(0).built.AccessLog
	if log == nil {
		t.Fatal("the client has no log of its own")
	}
	for i := range maxSharedLogs - 1 {
		other := *log
		other.Text = fmt.Sprint("other ", i)
		d.layers[sharedKeyOf(m.scope(0).key.Class, &other)] = &sharedLayer{of: d, accessLog: &other}
	}
	another := *log
	another.Text = "another"
	for name, test := range map[string]struct {
		log  string
		want bool
	}{"the same log": {log.Text, true}, "another log": {another.Text, false}} {
		client := *log
		client.Text = test.log
		if _, got := d.keyFor(m.scope(0), &client); (got != nil) != test.want {
			t.Errorf("%s: the client has its own log for shared destinations: %t, want %t", name, got != nil, test.want)
		}
	}
}

// TestTrialsKeepTheLogOfTheLayer lets a client with a log use the layer of the default log, because there was no room. Later there is room, which a trial without
// another log must not use.
func TestTrialsKeepTheLogOfTheLayer(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a")
	d := m.scope(0).shared.of
	for i := range maxSharedLogs {
		log := &telemetry.AccessLog{Policy: meshtest.Name("a", fmt.Sprint(i)), Text: fmt.Sprint(i)}
		d.layers[sharedKeyOf(m.scope(0).key.Class, log)] = &sharedLayer{of: d, accessLog: log, key: sharedKeyOf(m.scope(0).key.Class, log)}
	}
	m.apply(&telemetry.Policy{Name: meshtest.Name("a", "log"), Selector: m.pods[0].Labels, Text: "format"})
	n := m.scope(0)
	if n.built.AccessLog == nil || n.shared == nil || n.shared.accessLog != nil {
		t.Fatal("the client has no log, or a layer of its own")
	}
	for key, l := range d.layers {
		if l.accessLog != nil {
			delete(d.layers, key)
		}
	}
	const name = "outbound_a/s1_80"
	if hash, exists := m.store.hashWithout(n, nil, resourcetype.Listeners, name); !exists || hash != n.shared.contents[resourcetype.Listeners][name].Hash() {
		t.Errorf("the listener of the trial exists: %t, and is another one than that of the client", exists)
	}
}
