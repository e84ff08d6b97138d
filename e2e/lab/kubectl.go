package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
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

// fieldOwner is the field manager of the tests.
const fieldOwner = client.FieldOwner("osm-e2e")

// Objects parses manifests given as text.
func Objects(manifests string) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096)
	var all []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("manifests: %w", err)
		}
		if len(object.Object) > 0 {
			all = append(all, object)
		}
	}
}

// Put applies manifests by server-side apply. It starts no process and returns the API server's own error.
func (c *Cluster) Put(ctx context.Context, manifests string) error {
	objects, err := Objects(manifests)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := c.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), fieldOwner, client.ForceOwnership); err != nil {
			return err
		}
	}
	return nil
}

// Remove deletes the objects in the manifests without waiting. A missing object is no error.
func (c *Cluster) Remove(ctx context.Context, manifests string) error {
	objects, err := Objects(manifests)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := client.IgnoreNotFound(c.Client.Delete(ctx, object)); err != nil {
			return err
		}
	}
	return nil
}

// Patch applies a JSON merge patch to an object.
func (c *Cluster) Patch(ctx context.Context, object client.Object, patch string) error {
	return c.Client.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch)), fieldOwner)
}

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
