package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// Commands that the demo prints. A user runs them in the root of the repository, and a test does so too.
const (
	// InstallCertManager installs cert-manager and an issuer.
	InstallCertManager = "go run -C hack ./cluster cert-manager up && kubectl apply -f config/samples/cert-manager/issuer.yaml"
	// UseCertManager makes the issuer provide the certificate authority of the sample mesh.
	UseCertManager = `kubectl patch mesh osm --type merge -p '{"spec":{"certificates":{"provider":"CertManager","issuerRef":{"name":"corporate","kind":"ClusterIssuer"}}}}'`
)

// Shell runs a command in the root of the repository, with the kubectl and the kubeconfig of the cluster.
func (c *Cluster) Shell(ctx context.Context, command string) error {
	cmd := exec.CommandContext(ctx, "bash", "-c", command)
	cmd.Dir = c.Repository.Path()
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig, "PATH="+c.Tools()+":"+os.Getenv("PATH"))
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, output)
	}
	return nil
}
