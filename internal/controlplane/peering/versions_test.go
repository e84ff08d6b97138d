package peering

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// TestMeshesOfOtherVersions connects meshes in both directions. What is more than a minor version apart is reported as incompatible, and nothing of it is removed.
func TestMeshesOfOtherVersions(t *testing.T) {
	for _, test := range []struct {
		east, west string
		compatible bool
	}{
		{"v0.6.0", "v0.6.3", true},
		{"v0.6.0", "v0.7.0", true},
		{"v0.7.1", "v0.6.0", true},
		{"v0.6.0", "v0.8.0", false},
		{"v0.9.0", "v0.6.0", false},
		{"v0.6.0", "v1.6.0", false},
		{"v0.6.0", "devel", true},
	} {
		t.Run(test.east+" and "+test.west, func(t *testing.T) {
			t.Parallel()
			east, west := newMesh(t, eastDomain), newMesh(t, westDomain)
			east.version, west.version = test.east, test.west
			east.export("cart", "west")
			west.export("stock", "east")
			east.start(t, west.address(), west.peer("west"))
			west.start(t, east.address(), east.peer("east"))
			waitFor(t, west, "cart")
			eventually.True(t, waitLimit, "the other Service is imported", func() bool { return east.service("west", "stock") != nil })
			for _, side := range []struct {
				mesh  *testMesh
				other string
			}{{east, test.west}, {west, test.east}} {
				eventually.True(t, waitLimit, "the version has arrived", func() bool { return side.mesh.state().Version != "" })
				if state := side.mesh.state(); state.Version != side.other || state.Compatible != test.compatible || !state.Connected {
					t.Errorf("%s: state %+v", side.mesh.domain, state)
				}
			}
		})
	}
}
