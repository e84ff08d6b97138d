package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Prepare sets up a cluster with the project's images, the operator and the ready sample mesh. It is idempotent:
// rebuilt programs replace the running ones. It returns the cluster together with an error, so that callers can
// describe it.
func Prepare(ctx context.Context, out io.Writer, limit time.Duration) (*Cluster, error) {
	cluster, err := Start(ctx, out)
	if err != nil {
		return nil, err
	}
	if err := cluster.BuildImages(ctx, out); err != nil {
		return cluster, err
	}
	if err := cluster.InstallOperator(ctx, limit); err != nil {
		return cluster, err
	}
	if err := cluster.ApplyFile(ctx, "config", "samples", "operator_v1alpha1_mesh.yaml"); err != nil {
		return cluster, err
	}
	if err := cluster.RenewPods(ctx, names.OperatorNamespace, names.DefaultNamespace); err != nil {
		return cluster, err
	}
	return cluster, cluster.MeshReady(ctx, names.DefaultMesh, limit)
}

// gatewayKinds are the resources of the Gateway API that an ingress gateway needs.
var gatewayKinds = []string{"gatewayclasses", "gateways", "httproutes", "referencegrants"}

// InstallGatewayAPI installs definitions of the Gateway API from its module, as its release has them. They remain.
func (c *Cluster) InstallGatewayAPI(ctx context.Context) error {
	command := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api")
	command.Dir = c.Repository.Path()
	dir, err := command.Output()
	if err != nil {
		return fmt.Errorf("find the module of the Gateway API: %w", err)
	}
	for _, kind := range gatewayKinds {
		name := kind + ".gateway.networking.k8s.io"
		file := filepath.Join(strings.TrimSpace(string(dir)), "config", "crd", "standard", "gateway.networking.k8s.io_"+kind+".yaml")
		if _, err := c.Kubectl(ctx, "apply", "--server-side", "-f", file); err != nil {
			return err
		}
		if _, err := c.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=1m", "crd/"+name); err != nil {
			return err
		}
	}
	return nil
}

// Repository is the root folder of a checkout.
type Repository string

// FindRepository returns the checkout that contains the working directory.
func FindRepository() (Repository, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "hack", "go.mod")); err == nil {
			return Repository(dir), nil
		}
	}
	return "", errors.New("the working directory is not inside a checkout of the project: change into one")
}

// Path returns a path below the root.
func (r Repository) Path(elements ...string) string {
	return filepath.Join(append([]string{string(r)}, elements...)...)
}

// Tool runs a developer tool of hack/, such as "./cluster up", and prints its progress to out.
func (r Repository) Tool(ctx context.Context, out io.Writer, args ...string) error {
	cmd := r.command(ctx, args)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("hack/%s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// ToolOutput runs a developer tool of hack/ and returns its standard output.
func (r Repository) ToolOutput(ctx context.Context, args ...string) (string, error) {
	cmd := r.command(ctx, args)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("hack/%s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

func (r Repository) command(ctx context.Context, args []string) *exec.Cmd {
	return exec.CommandContext(ctx, "go", append([]string{"run", "-C", r.Path("hack")}, args...)...)
}

// InstallOperator applies the built manifests and waits until the operator is ready.
func (c *Cluster) InstallOperator(ctx context.Context, limit time.Duration) error {
	if _, err := c.Kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-f", c.Repository.Path("dist", "install.yaml")); err != nil {
		return err
	}
	return c.Available(ctx, limit, names.OperatorNamespace)
}

// UninstallOperator deletes the objects of the built manifests.
func (c *Cluster) UninstallOperator(ctx context.Context) error {
	_, err := c.Kubectl(ctx, "delete", "--ignore-not-found", "-f", c.Repository.Path("dist", "install.yaml"))
	return err
}

// Tools returns the folder of kubectl.
func (c *Cluster) Tools() string { return filepath.Dir(c.kubectl) }
