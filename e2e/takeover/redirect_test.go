package takeover

import (
	"context"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// redirect leads the Service of OSM's sidecars to the Mesh, which serves them by its bridge, and restarts OSM's controller, so that they connect again.
func (b *beside) redirect() {
	t := b.t
	t.Helper()
	patchMesh(t, `{"spec":{"adoption":{"service":"Redirect","bridge":{"duration":"72h"}}}}`)
	must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, installLimit))
	eventually(t, "the Service of OSM's sidecars leads to the Mesh", func(ctx context.Context) (bool, string, error) {
		slices, err := cluster.Kubectl(ctx, "get", "endpointslices", "--namespace", osmNamespace, "-o", "name")
		return strings.Contains(slices, "osm-controller-takeover"), slices, err
	})
	kubectl(t, "rollout", "restart", "deployment/osm-controller", "--namespace", osmNamespace)
	must(t, cluster.Available(t.Context(), installLimit, osmNamespace))
	eventually(t, "the Mesh serves all sidecars of OSM", func(context.Context) (bool, string, error) {
		command := startOSM(t, "proxy", "status", "--mesh-name", release)
		<-command.done // it fails while a replica ends
		status := command.printed()
		for line := range strings.Lines(status) {
			if strings.Contains(line, "Open Service Mesh") && (strings.Contains(line, "not connected") || strings.Contains(line, "unknown")) {
				return false, line, nil
			}
		}
		return strings.Contains(status, "Open Service Mesh"), status, nil
	})
	b.step("the Mesh serves the sidecars of OSM")
}
