package delivery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/packaging/bundle"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// catalogAddress is where opm serves the catalog: the node's address on the network of the pods.
	catalogAddress = "10.244.0.1:50051"
	// earlier is the version that is installed first. It has the same programs.
	earlier = "v0.1.99"
)

// subscription installs the package from the catalog into a namespace.
const subscription = `apiVersion: operators.coreos.com/v1alpha1
kind: CatalogSource
metadata: {name: osm, namespace: olm}
spec: {sourceType: grpc, address: "` + catalogAddress + `", updateStrategy: {registryPoll: {interval: 15s}}}
---
apiVersion: operators.coreos.com/v1
kind: OperatorGroup
metadata: {name: all, namespace: operators}
spec: {}
---
apiVersion: operators.coreos.com/v1alpha1
kind: Subscription
metadata: {name: osm-operator, namespace: operators}
spec: {name: osm-operator, channel: stable, source: osm, sourceNamespace: olm}
`

// TestOLM installs the operator by the Operator Lifecycle Manager while that of kubectl runs, lets it take over, and upgrades it. No request fails.
func TestOLM(t *testing.T) {
	lab.RequireFull(t)
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "load-servers", "olm"))
	t.Cleanup(func() {
		lab.Must(t, cluster.Repository.Tool(context.Background(), os.Stderr, "./cluster", "olm", "down"))
	})
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "olm", "up"))
	traffic := startTraffic(t)
	createNamespace(t, "operators")

	stop := serveCatalog(t, earlier)
	lab.Must(t, cluster.Put(t.Context(), subscription))
	t.Cleanup(func() { lab.Must(t, uninstall(context.Background())) })
	awaitSucceeded(t, bundle.Package+"."+earlier)
	awaitStandBy(t, "operators")
	lab.Must(t, stopOperator(t.Context(), names.OperatorNamespace))
	requireReconciled(t, `{"spec":{"controlPlane":{"logLevel":"debug"}}}`)
	requirePolicies(t, "operators")
	awaitUpgradeable(t, bundle.Package+"."+earlier)

	stop()
	serveCatalog(t, earlier, version(t))
	awaitSucceeded(t, bundle.Package+"."+version(t))
	requireReconciled(t, `{"spec":{"controlPlane":null}}`)
	finishTraffic(t, traffic)
}

// version is the version of this checkout.
func version(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(cluster.Repository.Path("VERSION"))
	lab.Must(t, err)
	return strings.TrimSpace(string(text))
}

// serveCatalog serves a catalog of versions, each an upgrade of the one before it.
func serveCatalog(t *testing.T, versions ...string) (stop func()) {
	t.Helper()
	var releases []bundle.Release
	replaces := ""
	for _, version := range versions {
		releases = append(releases, render(t, version, replaces))
		replaces = version
	}
	return serveReleases(t, releases...)
}

// render renders the bundle of this checkout as a version that replaces another one.
func render(t *testing.T, version, replaces string) bundle.Release {
	t.Helper()
	in, err := bundle.ReadInput(os.DirFS(cluster.Repository.Path()))
	lab.Must(t, err)
	in.Version, in.Replaces = version, replaces
	files, err := bundle.Render(in)
	lab.Must(t, err)
	return bundle.Release{Files: files}
}

// serveReleases serves a catalog of releases, each an upgrade of the one before it.
func serveReleases(t *testing.T, releases ...bundle.Release) (stop func()) {
	t.Helper()
	in, err := bundle.ReadInput(os.DirFS(cluster.Repository.Path()))
	lab.Must(t, err)
	catalog, err := bundle.Catalog(releases, in.Description, in.Icon)
	lab.Must(t, err)
	folder := t.TempDir()
	lab.Must(t, os.Mkdir(filepath.Join(folder, "catalog"), 0o755))
	lab.Must(t, os.WriteFile(filepath.Join(folder, "catalog", "catalog.json"), catalog, 0o644))
	ctx, cancel := context.WithCancel(context.Background())
	_, port, _ := strings.Cut(catalogAddress, ":")
	cmd := exec.CommandContext(ctx, opm(t), "serve", filepath.Join(folder, "catalog"), "--port", port, "--cache-dir", filepath.Join(folder, "cache"), "--cache-enforce-integrity=false")
	log, err := os.Create(filepath.Join(folder, "opm.log"))
	lab.Must(t, err)
	cmd.Stderr = log
	lab.Must(t, cmd.Start())
	stop = sync.OnceFunc(func() {
		cancel()
		_ = cmd.Wait()
		_ = log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("opm: %s", text)
		}
	})
	t.Cleanup(stop)
	return stop
}

// opm returns the path of opm.
func opm(t *testing.T) string {
	t.Helper()
	path, err := cluster.Repository.ToolOutput(t.Context(), "./tool", "-path", "opm")
	lab.Must(t, err)
	return path
}

// awaitUpgradeable waits until the operator of a version says that it may be upgraded, as no mesh is.
func awaitUpgradeable(t *testing.T, name string) {
	t.Helper()
	lab.Eventually(t, installLimit, name+" is upgradeable", func(ctx context.Context) (bool, string, error) {
		status, err := cluster.Kubectl(ctx, "-n", "operators", "get", "operatorconditions", name, "-o", `jsonpath={.spec.conditions[?(@.type=="Upgradeable")].status}`)
		return status == "True", status, err
	})
}

// awaitSucceeded waits until OLM has installed a version, and no other.
func awaitSucceeded(t *testing.T, name string) {
	t.Helper()
	lab.Eventually(t, installLimit, "OLM installs "+name, func(ctx context.Context) (bool, string, error) {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(schema.GroupVersionKind{Group: "operators.coreos.com", Version: "v1alpha1", Kind: "ClusterServiceVersionList"})
		if err := cluster.Client.List(ctx, list, client.InNamespace("operators")); err != nil {
			return false, err.Error(), nil
		}
		var states []string
		succeeded := false
		for i := range list.Items {
			phase, _, _ := unstructured.NestedString(list.Items[i].Object, "status", "phase")
			message, _, _ := unstructured.NestedString(list.Items[i].Object, "status", "message")
			states = append(states, fmt.Sprintf("%s %s: %s", list.Items[i].GetName(), phase, message))
			succeeded = succeeded || list.Items[i].GetName() == name && phase == "Succeeded"
		}
		return succeeded && len(states) == 1, strings.Join(states, "; "), nil
	})
}

// requirePolicies requires that the admission policies belong to the namespace of the operator.
func requirePolicies(t *testing.T, namespace string) {
	t.Helper()
	lab.Eventually(t, podLimit, "the operator applies its admission policies", func(ctx context.Context) (bool, string, error) {
		owner, err := cluster.Kubectl(ctx, "get", "validatingadmissionpolicies", "removal-order.openservicemesh.io", "-o", "jsonpath={.metadata.ownerReferences[*].name}")
		return strings.TrimSpace(owner) == namespace, owner, err
	})
}

// uninstall removes the subscription and the operator that it has installed.
func uninstall(ctx context.Context) error {
	err := cluster.Remove(ctx, subscription)
	_, deleted := cluster.Kubectl(ctx, "--namespace", "operators", "delete", "clusterserviceversions", "--all", "--wait")
	return errors.Join(err, deleted)
}
