package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// IsCurrent reports whether CLUSTER selects the user's own cluster instead of the local one.
func IsCurrent() bool { return os.Getenv("CLUSTER") == "current" }

// findKubectl returns the path of kubectl: that of the user for the user's own cluster, if there is one, and otherwise the one that is built with
// the local cluster.
func findKubectl(ctx context.Context, repository Repository) (string, error) {
	if path, err := exec.LookPath("kubectl"); err == nil && IsCurrent() {
		return filepath.Abs(path)
	}
	assets, err := repository.ToolOutput(ctx, "./cluster", "assets")
	return filepath.Join(assets, "kubectl"), err
}

// Kubectl runs kubectl and returns its standard output. The error contains its standard error.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return c.KubectlInput(ctx, "", args...)
}

// KubectlInput is Kubectl with standard input.
func (c *Cluster) KubectlInput(ctx context.Context, input string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.kubectl, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// Apply applies manifests given as text, like kubectl apply -f -.
func (c *Cluster) Apply(ctx context.Context, manifests string) error {
	_, err := c.KubectlInput(ctx, manifests, "apply", "-f", "-")
	return err
}

// ApplyFile applies a file of the repository.
func (c *Cluster) ApplyFile(ctx context.Context, path ...string) error {
	_, err := c.Kubectl(ctx, "apply", "-f", c.Repository.Path(path...))
	return err
}

// ApplyFolder applies a kustomization of the repository.
func (c *Cluster) ApplyFolder(ctx context.Context, path ...string) error {
	_, err := c.Kubectl(ctx, "apply", "-k", c.Repository.Path(path...))
	return err
}

// Delete deletes the objects in the manifests and waits until they are gone. A missing object is no error.
func (c *Cluster) Delete(ctx context.Context, manifests string) error {
	_, err := c.KubectlInput(ctx, manifests, "delete", "--ignore-not-found", "-f", "-")
	return err
}
