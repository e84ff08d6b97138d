package adoption

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/testing/leavings"
)

const (
	heir     = "heir"
	heirHome = "heir-system"
	// store and buyer are the namespaces of leavings.Users.
	store = "heir-bookstore"
	buyer = "heir-bookbuyer"

	heirMesh = `{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: heir},
spec: {namespace: heir-system, controlPlane: {replicas: 1}, upgrade: {dataPlane: {maxUnavailable: 100%, pauseBetween: 0s}}}}`
)

// TestAMeshTakesOverFromOSM begins with what an uninstallation without hooks leaves while applications run on.
func TestAMeshTakesOverFromOSM(t *testing.T) {
	ctx := t.Context()
	clean := func(ctx context.Context) error {
		for _, namespace := range []string{store, buyer, "heir-gateway", "heir-left-out"} {
			if err := cluster.DeleteNamespace(ctx, namespace); err != nil {
				return err
			}
		}
		if err := meshGone(ctx, heir); err != nil {
			return err
		}
		return errors.Join(cluster.Remove(ctx, leavings.Webhooks(heir, heirHome)), cluster.DeleteNamespace(ctx, heirHome))
	}
	must(t, clean(ctx))
	for _, namespace := range []string{store, buyer, heirHome} {
		_, err := cluster.HasNamespace(ctx, effectLimit, namespace)
		must(t, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		if t.Failed() {
			t.Log(cluster.Describe(ctx, store), cluster.Describe(ctx, buyer), cluster.ControlPlaneLogs(ctx, heirHome))
		}
		if err := clean(ctx); err != nil {
			t.Error(err)
		}
	})

	root := leave(t)
	server, client := injected(t, store, "bookstore", serverSidecar(t, root)), injected(t, buyer, "bookbuyer", clientSidecar())
	optOut(t, server, `"disabled"`)
	must(t, cluster.Put(ctx, leavings.Webhooks(heir, heirHome)))
	if _, pod := cluster.TestPod(buyer, "late"); cluster.Client.Create(ctx, pod) == nil {
		t.Fatal("the webhooks that OSM has left are without effect, so nothing is shown by their end")
	}

	start := time.Now()
	must(t, cluster.Put(ctx, heirMesh))
	must(t, cluster.MeshReady(ctx, heir, installLimit))
	revision := heir + "-" + strings.ReplaceAll(cluster.Version, ".", "-")
	pod := renewed(t, client, revision)
	t.Logf("%s: the client has the new sidecar", time.Since(start).Round(time.Second))
	ask := asking(t, pod)
	ask("a sidecar of OSM lets in the new one by the same authority", "/books-bought", "200")

	optOut(t, server, "null")
	renewed(t, server, revision)
	t.Logf("%s: the server has it, too", time.Since(start).Round(time.Second))
	ask("policies from before count between new sidecars", "/books-bought", "200")
	ask("and deny what they denied", "/admin", "404")
	counted(t, revision)
}

// leave puts into the cluster what OSM leaves, as far as its kinds are defined: this version has none for the others.
func leave(t *testing.T) *leavings.Authority {
	t.Helper()
	root, err := leavings.NewAuthority(time.Now())
	must(t, err)
	key, err := root.KeyPEM()
	must(t, err)
	all, err := lab.Objects(leavings.Made(heir, heirHome) + "\n---\n" + leavings.Users(heir, heirHome))
	must(t, err)
	for _, object := range all {
		if slices.Contains([]string{"MeshRootCertificate", "Egress", "IngressBackend"}, object.GetKind()) {
			continue
		}
		text, err := yaml.Marshal(object.Object)
		must(t, err)
		must(t, cluster.Put(t.Context(), string(text)))
	}
	// Leaves the root Service alone: the backends do not exist in this test.
	must(t, cluster.Remove(t.Context(), "{apiVersion: split.smi-spec.io/v1alpha2, kind: TrafficSplit, metadata: {name: bookstore-split, namespace: "+store+"}}"))
	must(t, cluster.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: heirHome, Name: names.CABundleSecret},
		Data:       map[string][]byte{names.CABundleCert: root.CertPEM(), names.CABundleKey: key},
	}))
	return root
}

// serverSidecar is a real Envoy that does what OSM's sidecar of the bookstore does.
func serverSidecar(t *testing.T, root *leavings.Authority) corev1.Container {
	t.Helper()
	certificate, key, err := root.Issue("bookstore."+store+".cluster.local", time.Now())
	must(t, err)
	config := leavings.Sidecar{
		Host: names.ServiceHost("bookstore", store), Client: "bookbuyer." + buyer + ".cluster.local",
		Port: servicePort, Application: appPort, Certificate: certificate, Key: key, Authority: root.CertPEM(),
	}.Config()
	return corev1.Container{
		Name: names.SidecarContainer, Image: envoyImage(t), ImagePullPolicy: corev1.PullIfNotPresent,
		Command: []string{"envoy"}, Args: []string{"--config-yaml", config, "--concurrency", "1", "--log-level", "error"},
	}
}

// clientSidecar has the name of a sidecar and does nothing: nobody calls the client, and it calls nobody before it is restarted.
func clientSidecar() corev1.Container {
	container := cluster.ToolsContainer(names.SidecarContainer, "sidecar", 14090, 7071)
	container.ReadinessProbe = nil
	return container
}

// envoyImage is the image of the sidecars of the sample mesh.
func envoyImage(t *testing.T) string {
	t.Helper()
	operator := &appsv1.Deployment{}
	must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: names.OperatorNamespace, Name: "osm-operator"}, operator))
	for _, variable := range operator.Spec.Template.Spec.Containers[0].Env {
		if variable.Name == "RELATED_IMAGE_ENVOY" {
			return variable.Value
		}
	}
	t.Fatal("the operator does not say which image has Envoy")
	return ""
}

// optOut keeps the operator from restarting a Deployment, or lets it: value is JSON.
func optOut(t *testing.T, d *appsv1.Deployment, value string) {
	t.Helper()
	must(t, cluster.Patch(t.Context(), d, fmt.Sprintf(`{"metadata":{"labels":{%q:%s}}}`, names.RestartLabel, value)))
}

// asking has a pod call the bookstore as OSM's demo does, until it is answered as wanted.
func asking(t *testing.T, pod *corev1.Pod) func(what, path, want string) {
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

// counted waits until the Mesh counts both sidecars as its own.
func counted(t *testing.T, revision string) {
	t.Helper()
	eventually(t, "both sidecars are the mesh's own", func(ctx context.Context) (bool, string, error) {
		live, err := readMesh(ctx, heir)
		if err != nil || live == nil || live.Status.Proxies == nil {
			return false, "there is no status", err
		}
		p := live.Status.Proxies
		return p.Total == 2 && p.Outdated == 0 && len(p.ByRevision) == 1 && p.ByRevision[0].Revision == revision, fmt.Sprintf("%+v", *p), nil
	})
}
