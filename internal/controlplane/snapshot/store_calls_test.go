package snapshot

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestMaxConnectionsLimitPods connects two pods to a Store that serves one. The connected pod may connect again.
func TestMaxConnectionsLimitPods(t *testing.T) {
	entries := twoServices()
	client, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	h.store.SetMaxConnections(1)
	h.connect(t, client)
	if _, err := h.tryConnect(peerOf(server)); !errors.Is(err, ErrFull) {
		t.Errorf("the second pod connects with the error %v, want %v", err, ErrFull)
	}
	if _, err := h.tryConnect(peerOf(client)); err != nil {
		t.Errorf("the connected pod connects again with the error %v, want none", err)
	}
	if got := testutil.ToFloat64(h.store.metrics.full); got != 1 {
		t.Errorf("%v rejected sidecars are counted, want 1", got)
	}
	h.store.SetMaxConnections(2)
	if _, err := h.tryConnect(peerOf(server)); err != nil {
		t.Errorf("with a higher limit, the second pod connects with the error %v, want none", err)
	}
}

// TestNamespacesOfTheMeshAreCounted checks the metric of namespaces after changes of some.
func TestNamespacesOfTheMeshAreCounted(t *testing.T) {
	h := newSyncedHarness(&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Namespace{Name: "b", Monitored: true}, &catalog.Namespace{Name: "c"})
	if got := testutil.ToFloat64(h.store.metrics.namespaces); got != 2 {
		t.Errorf("%v namespaces of the mesh are counted, want 2", got)
	}
	h.remove(&catalog.Namespace{Name: "a"})
	if got := testutil.ToFloat64(h.store.metrics.namespaces); got != 1 {
		t.Errorf("after one was deleted, %v namespaces of the mesh are counted, want 1", got)
	}
}

// TestDeletedAccountsLeaveNoDestinations deletes the service account of a client that has used a destination, and changes and deletes others.
func TestDeletedAccountsLeaveNoDestinations(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	used := func() int { return len(h.store.used.recent(client.Identity(), func(string) bool { return true })) }
	h.store.used.use(client.Identity(), serverName)
	account := *accountOf(client)
	account.UID = "another"
	h.apply(&account)
	h.remove(meshtest.Pod("a", "client", "client", "client", "10.0.0.1"))
	if got := used(); got != 1 {
		t.Errorf("%d destinations are remembered while the account exists, want 1", got)
	}
	h.remove(&account)
	if got := used(); got != 0 {
		t.Errorf("%d destinations of a deleted account are remembered, want none", got)
	}
}

// TestCertificatesOfOthersAreIgnored rotates the certificate of an account without sidecars.
func TestCertificatesOfOthersAreIgnored(t *testing.T) {
	h := newSyncedHarness(twoServices()...)
	h.store.CertificateRotated(meshtest.SA("a", "nobody"))
	h.run()
	if got := len(h.store.identities); got != 0 {
		t.Errorf("%d identities are in use, want none", got)
	}
}

// TestUnusedTrialsAreDropped lets the Store do twice what it does each second.
func TestUnusedTrialsAreDropped(t *testing.T) {
	h := newSyncedHarness()
	h.store.trials.byPolicies, h.store.trials.used = map[string]*sharedTrial{"policy": {}}, true
	for i, want := range []int{1, 0} {
		if h.store.dropUnused(); len(h.store.trials.byPolicies) != want {
			t.Errorf("after %d seconds there are %d trials, want %d", i+1, len(h.store.trials.byPolicies), want)
		}
	}
}

// TestChangesPrecedeTheNextCommand queues two commands. A change that comes during the first one is applied before the second one.
func TestChangesPrecedeTheNextCommand(t *testing.T) {
	h := newSyncedHarness()
	group := meshtest.Group("a", "routes", "/x")
	isApplied := false
	h.store.run(func() { h.store.Apply([]catalog.Change{catalog.Set(group)}) })
	h.store.run(func() { isApplied = h.store.catalog.View().HTTPRouteGroup(group.Name) != nil })
	if h.run(); !isApplied {
		t.Error("a change waits for a command that was queued after it")
	}
}

// TestTracesEndWithTheirBatch rebuilds scopes after a change. The trace of the change does not include them.
func TestTracesEndWithTheirBatch(t *testing.T) {
	entries := twoServices()
	_, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	h.connect(t, server)
	h.apply(meshtest.Group("a", "routes", "/changed"))
	before := h.latestTrace()
	h.store.Resync()
	h.run()
	if after := h.latestTrace(); after.Scopes != before.Scopes || after.Number != before.Number {
		t.Errorf("after a resync, the trace of a change has %d scopes; it had %d", after.Scopes, before.Scopes)
	}
}

// TestStagesHaveTheirOwnTime reads the stages of changes while the clock moves with each look. What precedes a stage is not part of it.
func TestStagesHaveTheirOwnTime(t *testing.T) {
	for name, settings := range map[string]*catalog.Settings{"own destinations": {}, "shared destinations": {Permissive: true}} {
		entries := twoServices()
		client, server := podsOf(entries)
		h := newSyncedHarness(append(entries, settings)...)
		h.connect(t, client)
		h.clock = func() time.Time { h.now = h.now.Add(time.Millisecond); return h.now }
		second := meshtest.Pod("a", "second", "server", "server", "10.0.0.8")
		service := meshtest.Service("a", "server", "server", "10.96.0.1", 85, inventory.ProtocolHTTP)
		for _, change := range []catalog.Entry{meshtest.Slice(service.Name, server, second), service} {
			began := h.now
			h.apply(change)
			stages := h.traceOf(t, change.Ref()).Stages
			var sum time.Duration
			for _, stage := range []status.Stage{status.StageCatalog, status.StageScope, status.StageEnvoy} {
				if sum += stages[stage]; stages[stage] <= 0 {
					t.Errorf("%s, %v: the stage %s took no time", name, change.Ref(), stage)
				}
			}
			if worked := h.now.Sub(began); sum > worked {
				t.Errorf("%s, %v: the stages took %v, and the change %v", name, change.Ref(), sum, worked)
			}
		}
	}
}

// TestCatalogStageBeginsWithTheCatalog lets a second pass while a change is compared with the catalog.
func TestCatalogStageBeginsWithTheCatalog(t *testing.T) {
	entries := twoServices()
	h := newSyncedHarness(entries...)
	group := meshtest.Group("a", "routes", "/changed")
	h.store.Apply([]catalog.Change{catalog.Set(group)})
	reads := 0
	h.clock = func() time.Time {
		if h.store.trace != nil && h.store.catalog.Differs(catalog.Set(group)) {
			if reads++; reads == 1 {
				h.now = h.now.Add(time.Second)
			}
		}
		return h.now
	}
	h.run()
	if got := h.traceOf(t, group.Ref()).Stages[status.StageCatalog]; got != 0 || reads == 0 {
		t.Errorf("the stage of the catalog took %v, want no time", got)
	}
}

// TestBrokenEndpointsAreLogged builds endpoints that cannot be sent: the earlier ones stay.
func TestBrokenEndpointsAreLogged(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	stream := h.connect(t, client)
	lines := h.recordLog("")
	e := stream.scope.Load().own.endpoints["a/server|80"]
	before := contentOf(stream, resourcetype.Endpoints, "a/server|80")
	e.cluster = "a/\xff"
	h.store.rebuildEndpoints(e)
	if after := contentOf(stream, resourcetype.Endpoints, "a/server|80"); after != before || before == nil {
		t.Errorf("the endpoints are %v, want the earlier ones", after)
	}
	if len(*lines) != 1 || !strings.Contains((*lines)[0], `"msg"="Endpoints are not updated"`) || !strings.Contains((*lines)[0], `"cluster"=`) {
		t.Errorf("logged is %q, want one line about the endpoints", *lines)
	}
}
