package delivery

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// installation is a way to install the operator.
type installation interface {
	// install installs the released version from its files, below a folder.
	install(t *testing.T, files string)
	// upgrade replaces it by this checkout.
	upgrade(t *testing.T)
	// remove removes the operator.
	remove(ctx context.Context) error
}

// TestReleaseIsUpgraded installs the released version in each way, with its own images and definitions, and upgrades it. The mesh, which follows the
// version of its operator, is upgraded too. No request fails.
func TestReleaseIsUpgraded(t *testing.T) {
	lab.RequireFull(t)
	files := t.TempDir()
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "version-files", cluster.Earlier, files))
	lab.Must(t, cluster.LoadVersion(t.Context(), os.Stderr, cluster.Earlier))
	t.Cleanup(func() {
		_, err := lab.Prepare(context.Background(), os.Stderr, installLimit)
		lab.Must(t, err)
	})
	for _, way := range []struct {
		name string
		installation
	}{{"kubectl", byKubectl{}}, {"Helm", byHelm{}}, {"OLM", &byOLM{}}, {"Flux", &byFlux{}}, {"Argo CD", &byArgoCD{}}} {
		t.Run(way.name, func(t *testing.T) { testUpgrade(t, way, files) })
	}
}

func testUpgrade(t *testing.T, way installation, files string) {
	lab.Must(t, removeMesh(t.Context()))
	lab.Must(t, removeOperator(t.Context()))
	t.Cleanup(func() {
		lab.Must(t, removeMesh(context.Background()))
		lab.Must(t, way.remove(context.Background()))
	})
	way.install(t, files)
	lab.Must(t, cluster.Apply(t.Context(), upgradedMesh(t, "config", "samples", "operator_v1alpha1_mesh.yaml")))
	awaitVersion(t, cluster.Earlier)
	traffic := startTraffic(t)
	way.upgrade(t)
	awaitVersion(t, version(t))
	finishTraffic(t, traffic)
}

// upgradedMesh returns a Mesh of this checkout that waits for a few seconds between the steps of an upgrade, instead of minutes.
func upgradedMesh(t *testing.T, path ...string) string {
	t.Helper()
	const none = "spec: {}"
	mesh := readFile(t, path...)
	if !strings.Contains(mesh, none) {
		t.Fatalf("%s has no line %q", filepath.Join(path...), none)
	}
	return strings.Replace(mesh, none, "spec: {upgrade: {gates: {soak: 5s}}}", 1)
}

// removeMesh deletes the Mesh and waits until it is gone.
func removeMesh(ctx context.Context) error {
	_, err := cluster.Kubectl(ctx, "delete", "mesh", names.DefaultMesh, "--ignore-not-found", "--wait", "--timeout", installLimit.String())
	if err != nil && strings.Contains(err.Error(), "the server doesn't have a resource type") {
		return nil
	}
	return err
}

// removeOperator deletes the operator of kubectl with its definitions.
func removeOperator(ctx context.Context) error {
	_, err := cluster.Kubectl(ctx, "delete", "--ignore-not-found", "--wait", "-f", cluster.Repository.Path("dist", "install.yaml"))
	return err
}

// awaitVersion waits until the Mesh has a version, with all Deployments of the mesh restarted.
func awaitVersion(t *testing.T, want string) {
	t.Helper()
	lab.Eventually(t, 2*installLimit, "the mesh has version "+want, func(ctx context.Context) (bool, string, error) {
		mesh := &v1alpha1.Mesh{}
		if err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, mesh); err != nil {
			return false, err.Error(), nil
		}
		s := mesh.Status
		return s.Version == want && s.Upgrade == nil && s.ObservedGeneration == mesh.Generation, fmt.Sprintf("version %q, upgrade %+v", s.Version, s.Upgrade), nil
	})
	lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, installLimit))
}

// byKubectl applies install.yaml.
type byKubectl struct{}

func (byKubectl) install(t *testing.T, files string) {
	t.Helper()
	_, err := cluster.Kubectl(t.Context(), "apply", "--server-side", "-f", filepath.Join(files, "install.yaml"))
	lab.Must(t, err)
	lab.Must(t, cluster.Available(t.Context(), installLimit, names.OperatorNamespace))
}

func (byKubectl) upgrade(t *testing.T) {
	t.Helper()
	_, err := cluster.Kubectl(t.Context(), "apply", "--server-side", "-f", cluster.Repository.Path("dist", "install.yaml"))
	lab.Must(t, err)
}

func (byKubectl) remove(ctx context.Context) error { return removeOperator(ctx) }

// byHelm installs the chart.
type byHelm struct{}

const chartNamespace = "charts"

func (byHelm) install(t *testing.T, files string) {
	t.Helper()
	lab.Must(t, cluster.Helm(t.Context(), "install", names.Operator, filepath.Join(files, "chart"), "--namespace", chartNamespace, "--create-namespace", "--wait", "--timeout", installLimit.String()))
}

func (byHelm) upgrade(t *testing.T) {
	t.Helper()
	lab.Must(t, cluster.Helm(t.Context(), "upgrade", names.Operator, cluster.Repository.Path("dist", "chart"), "--namespace", chartNamespace, "--wait", "--timeout", installLimit.String()))
}

func (byHelm) remove(ctx context.Context) error {
	if err := cluster.Helm(ctx, "uninstall", names.Operator, "--namespace", chartNamespace, "--wait"); err != nil {
		return err
	}
	return removeRemains(ctx, chartNamespace)
}

// removeRemains deletes a namespace, and the definitions, which Helm and OLM keep.
func removeRemains(ctx context.Context, namespace string) error {
	if _, err := cluster.Kubectl(ctx, "delete", "namespace", namespace, "--ignore-not-found", "--wait", "--timeout", podLimit.String()); err != nil {
		return err
	}
	return removeOperator(ctx)
}
