package lab

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
)

// Helm runs Helm with the kubeconfig of the cluster.
func (c *Cluster) Helm(ctx context.Context, args ...string) error {
	program, err := c.Repository.ToolOutput(ctx, "./tool", "-path", "helm")
	if err != nil {
		return err
	}
	output, err := exec.CommandContext(ctx, program, append(args, "--kubeconfig", c.Kubeconfig)...).CombinedOutput()
	if err != nil {
		return errors.Join(fmt.Errorf("helm %s: %w", args[0], err), errors.New(string(output)))
	}
	return nil
}
