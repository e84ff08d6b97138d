package takeover

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	osmNamespace = names.DefaultNamespace
	// release is the name of the Helm release, which is that of the mesh, as `osm install` names it.
	release = names.DefaultMesh
)

// osmValues are values of OSM's chart. The requests are those of a small machine. The stats plugin is built by a compiler for WebAssembly, which the
// local build lacks.
const osmValues = `osm:
  image: {registry: osm-local.invalid, tag: local}
  sidecarImage: osm-local.invalid/envoy:local
  curlImage: docker.io/openservicemesh/curl:%s
  enablePermissiveTrafficPolicy: false
  enableEgress: false
  controllerLogLevel: info
  featureFlags: {enableWASMStats: false, enableRetryPolicy: true}
  osmController: {resource: {limits: {cpu: "1.5", memory: 1G}, requests: {cpu: 20m, memory: 64M}}}
  injector: {resource: {limits: {cpu: "1", memory: 256M}, requests: {cpu: 20m, memory: 32M}}}
  osmBootstrap: {resource: {limits: {cpu: "0.5", memory: 256M}, requests: {cpu: 10m, memory: 32M}}}
`

// installOSM installs OSM by its chart, and waits until it is ready. Further values have the form name=value.
func installOSM(t *testing.T, values ...string) {
	t.Helper()
	chart, err := cluster.Repository.ToolOutput(t.Context(), "./cluster", "load-osm")
	lab.Must(t, err)
	file := filepath.Join(t.TempDir(), "values.yaml")
	lab.Must(t, os.WriteFile(file, fmt.Appendf(nil, osmValues, cluster.Version), 0o600))
	args := []string{"install", release, chart, "--namespace", osmNamespace, "--create-namespace", "--values", file, "--wait", "--timeout", installLimit.String()}
	for _, value := range values {
		args = append(args, "--set", value)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(cluster.Describe(context.Background(), osmNamespace))
		}
	})
	lab.Must(t, cluster.Helm(t.Context(), args...))
	lab.Must(t, cluster.Available(t.Context(), installLimit, osmNamespace))
}

// uninstallOSM removes OSM's release, and keeps what its hooks would delete.
func uninstallOSM(ctx context.Context) error {
	return cluster.Helm(ctx, "uninstall", release, "--namespace", osmNamespace, "--no-hooks", "--ignore-not-found", "--wait")
}
