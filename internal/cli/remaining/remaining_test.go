package remaining_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/remaining"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// TestSidecar has the ways in which a pod and its control plane come apart: the namespace leaves, moves or is ignored, or the mesh is removed.
func TestSidecar(t *testing.T) {
	pod := func(revision string) *inventory.Instance {
		return &inventory.Instance{Name: entity.Name{Namespace: "shop", Name: "web"}, Injected: true, Revision: revision}
	}
	finished, bare, osm, gateway := pod("osm-v0-5-0"), pod("osm-v0-5-0"), pod(""), pod("osm-v0-5-0")
	finished.Finished, bare.Injected, osm.Injected, osm.OSMSidecar, gateway.Name.Namespace = true, false, false, true, "osm-system"
	both := []string{"osm", "two"}
	for name, test := range map[string]struct {
		all    []string
		pod    *inventory.Instance
		member string
		want   bool
	}{
		"served":                                     {both, pod("osm-v0-5-0"), "osm", false},
		"the namespace left":                         {both, pod("osm-v0-5-0"), "", true},
		"the namespace moved to another mesh":        {both, pod("osm-v0-5-0"), "two", true},
		"the namespace came from another mesh":       {both, pod("two-v0-5-0"), "osm", false},
		"of another mesh, whose namespace left":      {both, pod("two-v0-5-0"), "", false},
		"of a mesh that was removed":                 {both, pod("gone-v0-5-0"), "", true},
		"of a removed mesh, whose label is there":    {both, pod("gone-v0-5-0"), "gone", true},
		"of a removed mesh, in one that exists":      {both, pod("gone-v0-5-0"), "two", false},
		"without a revision":                         {both, pod(""), "", true},
		"of an Open Service Mesh":                    {both, osm, "", true},
		"no mesh exists":                             {[]string{}, pod("gone-v0-5-0"), "", true},
		"the other meshes are unknown":               {nil, pod("two-v0-5-0"), "", false},
		"its mesh is known although others are not":  {nil, pod("osm-v0-5-0"), "", true},
		"terminated":                                 {both, finished, "", false},
		"without a sidecar":                          {both, bare, "", false},
		"a gateway, whose namespace is in no mesh":   {both, gateway, "", false},
		"a mesh whose name begins with that of ours": {both, pod("osm-two-v0-5-0"), "", true},
	} {
		t.Run(name, func(t *testing.T) {
			meshes := remaining.Meshes{Name: "osm", All: test.all, Systems: []string{"osm-system"}}
			if got := meshes.Sidecar(test.pod, test.member); got != test.want {
				t.Errorf("the sidecar remained: %t, want %t", got, test.want)
			}
		})
	}
}
