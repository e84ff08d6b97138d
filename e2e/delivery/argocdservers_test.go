package delivery

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/config/argocd"
	"github.com/openservicemesh/osm-operator/e2e/lab"
)

const (
	// argoNamespace is the namespace of Argo CD's settings and Applications.
	argoNamespace = "argocd"
	// argoModule is the module of Argo CD, which contains its manifests.
	argoModule = "github.com/argoproj/argo-cd/v2"

	// logLimit is the number of bytes of a log that a failed test prints.
	logLimit = 20_000

	argoProject = `apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: default, namespace: argocd}
spec:
  sourceRepos: ["*"]
  destinations: [{server: "*", namespace: "*"}]
  clusterResourceWhitelist: [{group: "*", kind: "*"}]
`
)

// installArgoCD installs the kinds and settings of Argo CD with the health check of a Mesh, and runs its servers on this machine until the test ends.
func installArgoCD(t *testing.T) {
	t.Helper()
	manifests := filepath.Join(argoFolder(t), "manifests")
	kinds, settings := filepath.Join(manifests, "crds"), filepath.Join(manifests, "base", "config")
	namespace := &corev1.Namespace{}
	namespace.Name = argoNamespace
	lab.Must(t, cluster.Create(t.Context(), namespace))
	t.Cleanup(func() {
		_, err := cluster.Kubectl(context.Background(), "delete", "namespace", argoNamespace, "--wait")
		lab.Must(t, err)
		_, err = cluster.Kubectl(context.Background(), "delete", "--kustomize", kinds, "--ignore-not-found", "--wait")
		lab.Must(t, err)
	})
	kubectl(t, "apply", "--server-side", "--kustomize", kinds)
	// kubectl fails for a definition that has no conditions yet.
	lab.Eventually(t, podLimit, "the kinds of Argo CD are served", func(ctx context.Context) (bool, string, error) {
		output, err := cluster.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=10s", "crd/applications.argoproj.io", "crd/appprojects.argoproj.io")
		return err == nil, output, err
	})
	kubectl(t, "apply", "--server-side", "--namespace", argoNamespace, "--kustomize", settings)
	lab.Must(t, cluster.Put(t.Context(), argoProject))
	for _, kind := range []string{"Mesh", "MeshRevision"} {
		addHealthCheck(t, kind)
	}
	runArgoCD(t)
}

// argoFolder returns the folder of Argo CD's module.
func argoFolder(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", argoModule)
	cmd.Dir = cluster.Repository.Path("hack", "tools", "argocd")
	output, err := cmd.Output()
	lab.Must(t, err)
	var module struct{ Dir string }
	lab.Must(t, json.Unmarshal(output, &module))
	return module.Dir
}

// addHealthCheck adds the health check to the settings, as docs/gitops.md describes it.
func addHealthCheck(t *testing.T, kind string) {
	t.Helper()
	settings := &corev1.ConfigMap{}
	settings.Name, settings.Namespace = "argocd-cm", argoNamespace
	lab.Must(t, cluster.Patch(t.Context(), settings, jsonOf(t, map[string]any{"data": map[string]string{
		"resource.customizations.health.operator.openservicemesh.io_" + kind: argocd.Health,
	}})))
}

// runArgoCD runs Redis, the repo-server and the application-controller.
func runArgoCD(t *testing.T) {
	t.Helper()
	redis, err := cluster.Repository.ToolOutput(t.Context(), "./images", "redis-path")
	lab.Must(t, err)
	program, err := cluster.Repository.ToolOutput(t.Context(), "./tool", "-path", "argocd")
	lab.Must(t, err)
	homeFolder := argoHomeFolder(t)
	cache, server := freeAddress(t), freeAddress(t)
	_, cachePort, _ := net.SplitHostPort(cache)
	_, serverPort, _ := net.SplitHostPort(server)
	runServer(t, homeFolder, "redis", redis, "--port", cachePort, "--bind", "127.0.0.1", "--save", "", "--dir", homeFolder)
	runServer(t, homeFolder, "argocd-repo-server", program, "--address", "127.0.0.1", "--port", serverPort, "--metrics-port", freePort(t), "--redis", cache, "--disable-tls")
	runServer(t, homeFolder, "argocd-application-controller", program, "--kubeconfig", cluster.Kubeconfig, "--namespace", argoNamespace,
		"--repo-server", server, "--repo-server-plaintext", "--redis", cache, "--metrics-port", freePort(t), "--app-resync", "10")
}

// argoHomeFolder creates a home folder with the kubeconfig, and folders for keys that Argo CD reads.
func argoHomeFolder(t *testing.T) string {
	t.Helper()
	homeFolder := t.TempDir()
	for _, folder := range []string{".kube", "tls", "ssh", "tmp"} {
		lab.Must(t, os.Mkdir(filepath.Join(homeFolder, folder), 0o700))
	}
	lab.Must(t, os.Symlink(cluster.Kubeconfig, filepath.Join(homeFolder, ".kube", "config")))
	return homeFolder
}

// runServer runs a program of Argo CD until the test ends, and prints its log if the test fails.
func runServer(t *testing.T, homeFolder, name, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(),
		"ARGOCD_BINARY_NAME="+name, "HOME="+homeFolder, "KUBECONFIG="+cluster.Kubeconfig, "ARGOCD_FAKE_IN_CLUSTER=true", "ARGOCD_GPG_ENABLED=false",
		"ARGOCD_TLS_DATA_PATH="+filepath.Join(homeFolder, "tls"), "ARGOCD_SSH_DATA_PATH="+filepath.Join(homeFolder, "ssh"), "TMPDIR="+filepath.Join(homeFolder, "tmp"))
	log, err := os.Create(filepath.Join(homeFolder, name+".log"))
	lab.Must(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	lab.Must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s: %s", name, text[max(0, len(text)-logLimit):])
		}
	})
}

func freePort(t *testing.T) string {
	t.Helper()
	_, port, err := net.SplitHostPort(freeAddress(t))
	lab.Must(t, err)
	return port
}

// freeAddress returns an address of this machine on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	lab.Must(t, err)
	defer listener.Close()
	return listener.Addr().String()
}
