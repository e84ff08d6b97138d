package lab

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

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
