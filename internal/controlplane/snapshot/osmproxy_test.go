package snapshot

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestSidecarOfOSMHasAllDestinationsInOneListener checks that a sidecar of Open Service Mesh shares no destinations in permissive mode, and that a new Service changes
// its outbound listener and adds none.
func TestSidecarOfOSMHasAllDestinationsInOneListener(t *testing.T) {
	h := newSyncedHarness()
	entries := twoServices()
	client, server := podsOf(entries)
	replaceSidecar(client)
	h.apply(append(entries, &catalog.Settings{Permissive: true})...)
	h.connect(t, server)
	stream := h.connectOSM(t, client)
	listeners := func() (names []string) {
		for name := range stream.scope.Load().Names(resourcetype.Listeners) {
			names = append(names, name)
		}
		return names
	}
	before := contentOf(stream, resourcetype.Listeners, "outbound-listener")
	if stream.scope.Load().shared != nil || before == nil || len(listeners()) != 1 {
		t.Errorf("the sidecar shares destinations: %t; its listeners are %v", stream.scope.Load().shared != nil, listeners())
	}
	added := meshtest.Service("a", "added", "server", "10.96.0.2", 80, inventory.ProtocolHTTP)
	h.apply(added, meshtest.Slice(added.Name, server))
	if after := contentOf(stream, resourcetype.Listeners, "outbound-listener"); after == before || len(listeners()) != 1 {
		t.Errorf("after a Service was added, the outbound listener is the same: %t; the listeners are %v", after == before, listeners())
	}
}
