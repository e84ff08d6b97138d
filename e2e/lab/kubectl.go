package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
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
	return forEachObject(manifests, func(object *unstructured.Unstructured) error {
		return c.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), fieldOwner, client.ForceOwnership)
	})
}

// Remove deletes the objects in the manifests without waiting. A missing object is no error.
func (c *Cluster) Remove(ctx context.Context, manifests string) error {
	return forEachObject(manifests, func(object *unstructured.Unstructured) error {
		return client.IgnoreNotFound(c.Client.Delete(ctx, object))
	})
}

// forEachObject calls a function with the objects in manifests until it fails.
func forEachObject(manifests string, call func(*unstructured.Unstructured) error) error {
	objects, err := Objects(manifests)
	for _, object := range objects {
		if err := call(object); err != nil {
			return err
		}
	}
	return err
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
	UseCertManager = `kubectl patch mesh osm --type merge -p '{"spec":{"certificates":{"provider":"CertManager","issuerRef":{"name":"corporate","kind":"Issuer"}}}}'`
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

// Forward forwards a local port to a port of a pod until ctx ends, like kubectl port-forward.
func (c *Cluster) Forward(ctx context.Context, namespace, pod string, port int) (address string, err error) {
	clients, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		return "", err
	}
	url := clients.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(c.Config)
	if err != nil {
		return "", err
	}
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	ready := make(chan struct{})
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{fmt.Sprintf("0:%d", port)}, ctx.Done(), ready, io.Discard, io.Discard)
	if err != nil {
		return "", err
	}
	failed := make(chan error, 1)
	go func() { failed <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-failed:
		return "", fmt.Errorf("forward to %s/%s:%d: %w", namespace, pod, port, err)
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0].Local), nil
}

// Pod returns the first running pod of a namespace with a label.
func (c *Cluster) Pod(ctx context.Context, namespace, label, value string) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := c.Client.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{label: value}); err != nil {
		return nil, err
	}
	for i := range pods.Items {
		if pods.Items[i].Status.Phase == corev1.PodRunning && pods.Items[i].DeletionTimestamp == nil {
			return &pods.Items[i], nil
		}
	}
	return nil, fmt.Errorf("no running pod with %s=%s in namespace %s", label, value, namespace)
}
