package peering

import (
	"reflect"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestExportsAreImported exports a Service, and another one later, and withdraws the first.
func TestExportsAreImported(t *testing.T) {
	east, west := newPair(t)
	want := &catalog.PeerService{Peer: "east", Name: meshtest.Name("shop", "cart"), Ports: []catalog.PeerPort{{
		Number: 80, Ready: true, Servers: []identity.PeerAccount{{Peer: "east", Namespace: "shop", Name: "cart"}},
		Clients: []identity.ServiceAccount{{Namespace: "web", Name: "client"}},
	}}}
	if got := west.service("east", "cart"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if imports, ok := west.peering.Imports("east"); !ok || !imports.Connected || len(imports.Services) != 1 || !reflect.DeepEqual(imports.Services[0], want) {
		t.Errorf("imports %+v, known is %t", imports, ok)
	}
	if _, ok := west.peering.Imports("north"); ok {
		t.Error("a peer that does not exist has imports")
	}
	east.export("stock", "west")
	waitFor(t, west, "stock")
	if _, changes := west.counts(); changes != 2 {
		t.Errorf("%d changes, want one for each Service", changes)
	}
	east.withdraw("cart")
	eventually.True(t, waitLimit, "the export is withdrawn", func() bool { return west.service("east", "cart") == nil })
	if west.service("east", "stock") == nil {
		t.Error("the other Service was withdrawn too")
	}
	state := west.state()
	if !state.Connected || state.Services != 1 || state.Version != "v0.6.0" || !state.Compatible || len(state.Fingerprints) != 1 || len(state.Problems) > 0 {
		t.Errorf("state %+v", state)
	}
	if exported := east.peering.Exported("west"); exported.Services != 1 || exported.Streams != 1 {
		t.Errorf("east offers %+v", exported)
	}
}

// TestServiceWithoutPodsRemains deletes the only pod of a Service, and creates it again.
func TestServiceWithoutPodsRemains(t *testing.T) {
	east, west := newPair(t)
	cart, clients := meshtest.Name("shop", "cart"), []identity.ServiceAccount{{Namespace: "web", Name: "client"}}
	east.mirror.Apply([]catalog.Change{{Ref: entity.KindPod.Ref(cart)}, catalog.Set(meshtest.Slice(cart))})
	eventually.True(t, waitLimit, "the port has no endpoint", func() bool { return !west.service("east", "cart").Ports[0].Ready })
	if got := west.service("east", "cart").Ports[0]; len(got.Servers) > 0 || !reflect.DeepEqual(got.Clients, clients) {
		t.Errorf("got %+v", got)
	}
	if problems := west.state().Problems; len(problems) > 0 {
		t.Errorf("problems %+v", problems)
	}
	east.export("cart", "west")
	eventually.True(t, waitLimit, "the port has an endpoint", func() bool { return west.service("east", "cart").Ports[0].Ready })
	if got := west.service("east", "cart").Ports[0]; len(got.Servers) != 1 || !reflect.DeepEqual(got.Clients, clients) {
		t.Errorf("got %+v", got)
	}
}

// TestSilenceRemovesNothing stops a peer, and changes what it exports while it is away.
func TestSilenceRemovesNothing(t *testing.T) {
	east, west := newPair(t)
	east.export("stock", "west")
	waitFor(t, west, "stock")
	_, before := west.counts()
	east.stop()
	eventually.True(t, waitLimit, "the peer is away", func() bool { return !west.state().Connected })
	if services, changes := west.counts(); services != 2 || changes != before {
		t.Errorf("%d Services, %d changes, want 2 and %d", services, changes, before)
	}
	if west.state().StaleSince.IsZero() {
		t.Error("the state is not stale")
	}
	east.withdraw("cart")
	east.restart(t, west.address(), west.peer("west"))
	eventually.True(t, waitLimit, "the withdrawal arrives", func() bool { return west.service("east", "cart") == nil })
	if services, changes := west.counts(); services != 1 || changes != before+1 {
		t.Errorf("%d Services, %d changes: what did not change must not be sent again", services, changes)
	}
	if !west.state().StaleSince.IsZero() {
		t.Error("the state is still stale")
	}
}

// TestRemovedPeersEndAtOnce removes the MeshPeer on the side of the exporter, then on that of the importer.
func TestRemovedPeersEndAtOnce(t *testing.T) {
	east, west := newPair(t)
	begin := time.Now()
	east.peering.SetPeers(t.Context(), nil)
	eventually.True(t, waitLimit, "the stream has ended", func() bool { return !west.state().Connected })
	if d := time.Since(begin); d > 2*time.Second {
		t.Errorf("the stream ended after %s", d)
	}
	if west.service("east", "cart") == nil {
		t.Error("the exporter does not answer, which must remove nothing")
	}
	west.peering.SetPeers(t.Context(), nil)
	if west.service("east", "cart") != nil || len(west.peering.States()) > 0 || len(west.storage.data) > 0 {
		t.Error("the state of a removed peer remains")
	}
}

// TestStoredStateIsUsedWithoutThePeer restarts the importer while the peer is away.
func TestStoredStateIsUsedWithoutThePeer(t *testing.T) {
	east, west := newPair(t)
	eventually.True(t, waitLimit, "the state is stored", func() bool {
		west.storage.mu.Lock()
		defer west.storage.mu.Unlock()
		return len(west.storage.data["east"]) > 0
	})
	east.stop()
	west.services = map[entityRef]*catalog.PeerService{}
	west.restart(t, east.address(), east.peer("east"))
	waitFor(t, west, "cart")
	if state := west.state(); state.Connected || state.StaleSince.IsZero() || state.Services != 1 {
		t.Errorf("state %+v", state)
	}
	_, before := west.counts()
	east.restart(t, west.address(), west.peer("west"))
	eventually.True(t, waitLimit, "the peer is back", func() bool { return west.state().Connected })
	if _, changes := west.counts(); changes != before {
		t.Error("what did not change was sent again")
	}
	west.stop()
	west.services = map[entityRef]*catalog.PeerService{}
	west.restart(t, east.address(), newMesh(t, eastDomain).peer("east"))
	time.Sleep(50 * time.Millisecond)
	if west.service("east", "cart") != nil {
		t.Error("a stored state without a trusted signature is used")
	}
}

// TestAnEmptyMeshAnswers connects to a mesh that exports nothing.
func TestAnEmptyMeshAnswers(t *testing.T) {
	east, west := newPair(t)
	eventually.True(t, waitLimit, "west has answered", func() bool { return east.state().Connected })
	if services, _ := east.counts(); services != 0 || west.state().Services != 1 {
		t.Errorf("west exports %d Services", services)
	}
}

// TestANewEpochIsAccepted restores the exporter: its clock, and so its generations, are those of the past.
func TestANewEpochIsAccepted(t *testing.T) {
	east, west := newPair(t)
	east.stop()
	east.epoch = "2"
	east.set(&catalog.Namespace{Name: "shop"})
	east.export("stock", "west")
	east.restart(t, west.address(), west.peer("west"))
	waitFor(t, west, "stock")
}

// TestRootsAreFollowed rotates the root of the exporter.
func TestRootsAreFollowed(t *testing.T) {
	for name, follow := range map[string]bool{"followed": true, "not followed": false} {
		t.Run(name, func(t *testing.T) {
			east, west := newMesh(t, eastDomain), newMesh(t, westDomain)
			declared := east.peer("east")
			declared.Follow = follow
			east.start(t, west.address(), west.peer("west"))
			west.start(t, east.address(), declared)
			eventually.True(t, waitLimit, "connected", func() bool { return west.state().Connected })
			next, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			east.manager.SetRoot(issuingWith(t, east.root, next))
			east.peering.server.publisher.publish()
			eventually.True(t, waitLimit, "the bundle arrives", func() bool { return len(west.state().Fingerprints) == 2 })
			state := west.state()
			if !state.Trusted.Differs || state.Trusted.Until.IsZero() == follow {
				t.Errorf("state %+v", state)
			}
			east.manager.SetRoot(next)
			east.export("cart", "west")
			east.restart(t, west.address(), west.peer("west"))
			if follow {
				waitFor(t, west, "cart")
				west.restart(t, east.address(), declared)
				eventually.True(t, waitLimit, "connected with a followed root of the storage", func() bool { return west.state().Connected })
				return
			}
			time.Sleep(2 * time.Second)
			if west.state().Connected || west.service("east", "cart") != nil {
				t.Error("a root is trusted that is not declared")
			}
		})
	}
}
