package delivery

import (
	"testing"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestHelm replaces the operator of kubectl by that of the chart, upgrades and uninstalls it. The mesh and its definitions remain, and no request fails.
func TestHelm(t *testing.T) {
	lab.RequireFull(t)
	const namespace = "charts"
	traffic := startTraffic(t)
	createNamespace(t, namespace)
	lab.Must(t, stopOperator(t.Context(), names.OperatorNamespace))

	lab.Must(t, cluster.Helm(t.Context(), "install", names.Operator, cluster.Repository.Path("dist", "chart"), "--namespace", namespace,
		"--take-ownership", "--force-conflicts", "--wait", "--timeout", installLimit.String()))
	requireReconciled(t, `{"spec":{"controlPlane":{"logLevel":"debug"}}}`)
	lab.Must(t, cluster.Helm(t.Context(), "upgrade", names.Operator, cluster.Repository.Path("dist", "chart"), "--namespace", namespace,
		"--force-conflicts", "--set", "logLevel=debug,replicas=2", "--wait", "--timeout", installLimit.String()))
	requireReconciled(t, `{"spec":{"controlPlane":null}}`)

	_, err := cluster.Kubectl(t.Context(), "--namespace", namespace, "annotate", "deployment", names.Operator, "operator.openservicemesh.io/allow-deletion=true")
	lab.Must(t, err)
	lab.Must(t, cluster.Helm(t.Context(), "uninstall", names.Operator, "--namespace", namespace, "--wait"))
	_, err = cluster.Kubectl(t.Context(), "get", "mesh", names.DefaultMesh)
	lab.Must(t, err)
	finishTraffic(t, traffic)
}
