package delivery

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
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
	must(t, stopOperator(t.Context(), names.OperatorNamespace))

	must(t, helm(t.Context(), "install", names.Operator, cluster.Repository.Path("dist", "chart"), "--namespace", namespace,
		"--take-ownership", "--force-conflicts", "--wait", "--timeout", installLimit.String()))
	requireReconciled(t, `{"spec":{"controlPlane":{"logLevel":"debug"}}}`)
	must(t, helm(t.Context(), "upgrade", names.Operator, cluster.Repository.Path("dist", "chart"), "--namespace", namespace,
		"--force-conflicts", "--set", "logLevel=debug,replicas=2", "--wait", "--timeout", installLimit.String()))
	requireReconciled(t, `{"spec":{"controlPlane":null}}`)

	_, err := cluster.Kubectl(t.Context(), "--namespace", namespace, "annotate", "deployment", names.Operator, "operator.openservicemesh.io/allow-deletion=true")
	must(t, err)
	must(t, helm(t.Context(), "uninstall", names.Operator, "--namespace", namespace, "--wait"))
	_, err = cluster.Kubectl(t.Context(), "get", "mesh", names.DefaultMesh)
	must(t, err)
	finishTraffic(t, traffic)
}

// helm runs Helm with the kubeconfig of the cluster.
func helm(ctx context.Context, args ...string) error {
	program, err := cluster.Repository.ToolOutput(ctx, "./tool", "-path", "helm")
	if err != nil {
		return err
	}
	output, err := exec.CommandContext(ctx, program, append(args, "--kubeconfig", cluster.Kubeconfig)...).CombinedOutput()
	if err != nil {
		return errors.Join(fmt.Errorf("helm %s: %w", args[0], err), errors.New(string(output)))
	}
	return nil
}
