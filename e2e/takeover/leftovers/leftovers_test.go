package leftovers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/legacyosm"
)

const (
	heirMesh      = "heir"
	heirNamespace = "heir-system"
	// store and buyer are the namespaces used by legacyosm.Users.
	store = "heir-bookstore"
	buyer = "heir-bookbuyer"

	heirManifest = `{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: heir},
spec: {namespace: heir-system, controlPlane: {controller: {replicas: 1}, injector: {replicas: 1}}, upgrade: {dataPlane: {maxUnavailable: 100%, pauseBetween: 0s}}}}`
)

// TestMeshTakesOverWorkloadsOfOSM starts from the objects that an uninstallation without hooks leaves behind while
// applications keep running.
func TestMeshTakesOverWorkloadsOfOSM(t *testing.T) {
	ctx := t.Context()
	clean := func(ctx context.Context) error {
		for _, namespace := range []string{store, buyer, "heir-gateway", "heir-left-out"} {
			if err := cluster.DeleteNamespace(ctx, namespace); err != nil {
				return err
			}
		}
		if err := deleteMesh(ctx, heirMesh); err != nil {
			return err
		}
		return errors.Join(cluster.Remove(ctx, legacyosm.Webhooks(heirMesh, heirNamespace)), cluster.DeleteNamespace(ctx, heirNamespace))
	}
	lab.Must(t, clean(ctx))
	for _, namespace := range []string{store, buyer, heirNamespace} {
		_, err := cluster.HasNamespace(ctx, effectLimit, namespace)
		lab.Must(t, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		if t.Failed() {
			t.Log(cluster.Describe(ctx, store), cluster.Describe(ctx, buyer), cluster.ControlPlaneLogs(ctx, heirNamespace))
		}
		if err := clean(ctx); err != nil {
			t.Error(err)
		}
	})

	root := createLeftovers(t)
	server, client := deployWithSidecar(t, store, "bookstore", serverSidecar(t, root)), deployWithSidecar(t, buyer, "bookbuyer", clientSidecar())
	optOut(t, server, `"disabled"`)
	lab.Must(t, cluster.Put(ctx, legacyosm.Webhooks(heirMesh, heirNamespace)))
	if _, pod := cluster.TestPod(buyer, "late"); cluster.Client.Create(ctx, pod) == nil {
		t.Fatal("OSM's leftover webhooks have no effect, so the test cannot detect their removal")
	}

	start := time.Now()
	lab.Must(t, cluster.Put(ctx, heirManifest))
	lab.Must(t, cluster.MeshReady(ctx, heirMesh, installLimit))
	revision := heirMesh + "-" + strings.ReplaceAll(cluster.Version, ".", "-")
	pod := awaitRestart(t, client, revision)
	t.Logf("%s: the client has the new sidecar", time.Since(start).Round(time.Second))
	ask := requester(t, pod)
	ask("an OSM sidecar accepts a new sidecar with the same CA", "/books-bought", "200")

	optOut(t, server, "null")
	awaitRestart(t, server, revision)
	t.Logf("%s: the server has the new sidecar", time.Since(start).Round(time.Second))
	ask("existing policies allow requests between new sidecars", "/books-bought", "200")
	ask("existing policies deny requests between new sidecars", "/admin", "404")
	awaitBothSidecars(t, revision)
}

// createLeftovers creates the objects that OSM leaves behind. Kinds that this version does not define are skipped.
func createLeftovers(t *testing.T) *legacyosm.Authority {
	t.Helper()
	root, err := legacyosm.NewAuthority(time.Now())
	lab.Must(t, err)
	key, err := root.KeyPEM()
	lab.Must(t, err)
	all, err := lab.Objects(legacyosm.Made(heirMesh, heirNamespace) + "\n---\n" + legacyosm.Users(heirMesh, heirNamespace))
	lab.Must(t, err)
	for _, object := range all {
		text, err := yaml.Marshal(object.Object)
		lab.Must(t, err)
		lab.Must(t, cluster.Put(t.Context(), string(text)))
	}
	// The root Service has no backends in this test.
	lab.Must(t, cluster.Remove(t.Context(), "{apiVersion: split.smi-spec.io/v1alpha2, kind: TrafficSplit, metadata: {name: bookstore-split, namespace: "+store+"}}"))
	lab.Must(t, cluster.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: heirNamespace, Name: names.CABundleSecret},
		Data:       map[string][]byte{names.CABundleCert: root.CertPEM(), names.CABundleKey: key},
	}))
	return root
}

// serverSidecar returns a real Envoy with the configuration of OSM's bookstore sidecar.
func serverSidecar(t *testing.T, root *legacyosm.Authority) corev1.Container {
	t.Helper()
	certificate, key, err := root.Issue("bookstore."+store+".cluster.local", time.Now())
	lab.Must(t, err)
	config := legacyosm.Sidecar{
		Host: names.ServiceHost("bookstore", store), Client: "bookbuyer." + buyer + ".cluster.local",
		Port: servicePort, Application: appPort, Certificate: certificate, Key: key, Authority: root.CertPEM(),
	}.Config()
	return corev1.Container{
		Name: names.SidecarContainer, Image: envoyImage(t), ImagePullPolicy: corev1.PullIfNotPresent,
		Command: []string{"envoy"}, Args: []string{"--config-yaml", config, "--concurrency", "1", "--log-level", "error"},
	}
}

// clientSidecar returns a container that only has the name of a sidecar. The client sends and receives nothing before
// its restart.
func clientSidecar() corev1.Container {
	container := cluster.ToolsContainer(names.SidecarContainer, "sidecar", 14090, 7071)
	container.ReadinessProbe = nil
	return container
}

// envoyImage returns the image of the sample mesh's sidecars.
func envoyImage(t *testing.T) string {
	t.Helper()
	operator := &appsv1.Deployment{}
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: names.OperatorNamespace, Name: "osm-operator"}, operator))
	for _, variable := range operator.Spec.Template.Spec.Containers[0].Env {
		if variable.Name == "RELATED_IMAGE_ENVOY" {
			return variable.Value
		}
	}
	t.Fatal("the operator has no variable with the Envoy image")
	return ""
}

// optOut sets a Deployment's opt-out of restarts; value is JSON.
func optOut(t *testing.T, d *appsv1.Deployment, value string) {
	t.Helper()
	lab.Must(t, cluster.Patch(t.Context(), d, fmt.Sprintf(`{"metadata":{"labels":{%q:%s}}}`, names.RestartLabel, value)))
}

// requester returns a function that sends requests from a pod to the bookstore, like OSM's demo, until the outcome is as
// desired.
func requester(t *testing.T, pod *corev1.Pod) func(what, path, want string) {
	agent := cluster.Agent(t.Context(), pod.Namespace, pod.Name, lab.AgentPort)
	url := fmt.Sprintf("http://%s:%d", names.ServiceHost("bookstore", store), servicePort)
	return func(what, path, want string) {
		t.Helper()
		eventually(t, what, func(ctx context.Context) (bool, string, error) {
			got, err := agent.Requests(ctx, url+path, "--count", "20", "-H", "client-app: bookbuyer")
			if err != nil {
				return false, "", err
			}
			return got.Outcomes[want] == 20, fmt.Sprint(got.Outcomes, got.Errors), nil
		})
	}
}

// awaitBothSidecars waits until the Mesh counts both sidecars as its own.
func awaitBothSidecars(t *testing.T, revision string) {
	t.Helper()
	eventually(t, "the mesh counts both sidecars as its own", func(ctx context.Context) (bool, string, error) {
		live, err := readMesh(ctx, heirMesh)
		if err != nil || live == nil || live.Status.Proxies == nil {
			return false, "there is no status", err
		}
		p := live.Status.Proxies
		return p.Total == 2 && p.Outdated == 0 && len(p.ByRevision) == 1 && p.ByRevision[0].Revision == revision, fmt.Sprintf("%+v", *p), nil
	})
}
