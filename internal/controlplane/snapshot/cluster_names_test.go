package snapshot

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestClusterNamesOfDestinations checks by which names the clusters of a proxy are reported.
func TestClusterNamesOfDestinations(t *testing.T) {
	entries, client := onDemandMesh()
	h := newSyncedHarness(entries...)
	stream := h.connect(t, client)
	for name, want := range map[string]string{
		"a/server|80":                 "a/server|80",
		serverName:                    "a/server|80",
		destinationName("10.96.0.99"): envoy.UnknownDestination,
	} {
		if got := stream.ClusterName(name); got != want {
			t.Errorf("the cluster %s is reported as %s, want %s", name, got, want)
		}
	}
	if n := stream.scope.Load(); !n.mu.TryLock() || !n.shared.mu.TryLock() {
		t.Error("the scope is still locked")
	}
}

// TestUnknownDestinationsOfOtherProxies asks for a destination that does not exist, and for names that are none.
func TestUnknownDestinationsOfOtherProxies(t *testing.T) {
	entries, client := onDemandMesh()
	other := meshtest.Pod("a", "other", "client", "client", "10.0.0.8")
	h := newSyncedHarness(append(entries, other)...)
	unknown := destinationName("10.96.0.99")
	for _, test := range []struct {
		name     string
		pod      *inventory.Instance
		kind     resourcetype.Type
		resource string
		want     bool
	}{
		{"a destination on demand", client, resourcetype.Clusters, unknown, true},
		{"endpoints on demand", client, resourcetype.Endpoints, unknown, false},
		{"another name", client, resourcetype.Clusters, "a/unknown|80", false},
		{"a destination of a proxy that has all", other, resourcetype.Clusters, unknown, false},
	} {
		if got := contentOf(h.connect(t, test.pod), test.kind, test.resource) != nil; got != test.want {
			t.Errorf("%s is answered with a resource: %t, want %t", test.name, got, test.want)
		}
	}
}
