package lab

import (
	"context"
	"path/filepath"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

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
