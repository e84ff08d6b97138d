package takeover

import (
	"context"
	"strings"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// startRestarts runs the takeover until workloads restart, with the bridge, and waits until the Mesh serves the sidecars of OSM.
func (b *beside) startRestarts() *osmCommand {
	t := b.t
	t.Helper()
	command := startOSM(t, "migrate", "run", "--yes", "--to", "restarting", "--bridge", "72h")
	command.awaitPrinted("serves the sidecars of the Open Service Mesh", installLimit)
	slices, err := cluster.Kubectl(t.Context(), "get", "endpointslices", "--namespace", osmNamespace, "-o", "name")
	lab.Must(t, err)
	if !strings.Contains(slices, "osm-controller-takeover") {
		t.Errorf("the Service of OSM's sidecars does not lead to the Mesh: %s", slices)
	}
	b.step("the Mesh serves the sidecars of OSM")
	return command
}

// requireReturned requires that the Service of OSM leads to OSM again, and that its sidecars have left the Mesh.
func (b *beside) requireReturned() {
	t := b.t
	t.Helper()
	eventually(t, "OSM serves its sidecars", func(ctx context.Context) (bool, string, error) {
		selector, err := cluster.Kubectl(ctx, "get", "service", "osm-controller", "--namespace", osmNamespace, "-o", "jsonpath={.spec.selector.app}")
		if err != nil || selector != "osm-controller" {
			return false, "the Service selects " + selector, err
		}
		command := startOSM(t, "proxy", "status", "--mesh-name", release)
		<-command.done // it fails, because these sidecars are not connected to the Mesh
		for line := range strings.Lines(command.printed()) {
			if strings.Contains(line, "Open Service Mesh") && !strings.Contains(line, "not connected") {
				return false, line, nil
			}
		}
		return true, "", nil
	})
}
