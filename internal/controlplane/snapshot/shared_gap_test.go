package snapshot

import (
	"slices"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// TestSharedDestinations_NoGapWhenANamespaceIsNotPermissiveAnyMore checks that a client that a policy allows to call a Service keeps its listener
// at every moment while the namespace leaves permissive mode, and enters it again. A stream can send what it finds at any of these moments.
func TestSharedDestinations_NoGapWhenANamespaceIsNotPermissiveAnyMore(t *testing.T) {
	entries := twoServices()
	h := newSyncedHarness()
	h.apply(append(entries, &catalog.Settings{Permissive: true})...)
	client, server := podsOf(entries)
	stream := h.connect(t, client)
	h.connect(t, server)
	n := stream.scope.Load()
	names := slices.Sorted(n.Names(resourcetype.Listeners))
	if n.shared == nil || len(names) < 2 {
		t.Fatalf("the client shares destinations: %t, and has the listeners %v", n.shared != nil, names)
	}
	moments := 0
	h.store.config.Now = func() time.Time {
		moments++
		for _, kind := range []resourcetype.Type{resourcetype.Listeners, resourcetype.Clusters, resourcetype.Routes} {
			if len(slices.Collect(n.Names(kind))) == 0 {
				t.Errorf("at moment %d the client has no resources of the type %v", moments, kind)
			}
		}
		if got := slices.Sorted(n.Names(resourcetype.Listeners)); !slices.Equal(got, names) {
			t.Errorf("at moment %d the client has the listeners %v, want %v", moments, got, names)
		}
		return h.now
	}
	for _, permissive := range []*bool{ptr.To(false), nil, ptr.To(false)} {
		h.apply(&catalog.Namespace{Name: "a", Monitored: true, Permissive: permissive})
		if isSharing := n.shared != nil; isSharing != (permissive == nil) {
			t.Errorf("the client shares destinations: %t", isSharing)
		}
	}
	if moments < 6 {
		t.Errorf("the client was examined at %d moments only", moments)
	}
}
