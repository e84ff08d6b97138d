package takeover

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// shopNamespace has workloads of the test tools in the mesh, and outsideNamespace has some outside of it.
	shopNamespace, outsideNamespace = "shop", "outside"
	// store serves HTTP, and ledger TCP.
	store, ledger = "store", "ledger"
	// archive is a bare pod that serves TCP, and caller one that sends the load. Nothing restarts them, so they keep OSM's sidecars.
	archive, caller = "archive", "caller"
	// fresh is a bare pod that sends load from a sidecar of the Mesh.
	fresh = "fresh"
	// shopper is a Deployment that sends load and may restart.
	shopper = "shopper"
	// gateway sends requests from outside of the mesh, and site is a server there.
	gateway, site = "gateway", "site"
)

const (
	// buyerVariable is in the bookbuyer's manifest, and buyerRate is how many requests it sends in a second.
	buyerVariable = "        - name: BOOKSTORE_SVC\n          value: bookstore\n"
	buyerRate     = 40
)

// bookNamespaces are the namespaces of the bookstore.
func bookNamespaces() []string { return []string{"bookbuyer", "bookstore", "bookwarehouse"} }

// members are all namespaces of the mesh.
func members() []string { return append(bookNamespaces(), shopNamespace) }

// shopPolicies allow the clients what they do. OSM limits all ports of a TrafficTarget to those of its TCPRoutes, so HTTP has its own one.
const shopPolicies = `apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: books, namespace: shop}
spec: {matches: [{name: books, pathRegex: /books, methods: [GET]}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: echo, namespace: shop}
spec: {matches: {ports: [9000]}}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: store, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: store, namespace: shop}
  sources: [{kind: ServiceAccount, name: caller, namespace: shop}, {kind: ServiceAccount, name: fresh, namespace: shop}, {kind: ServiceAccount, name: shopper, namespace: shop}]
  rules: [{kind: HTTPRouteGroup, name: books, matches: [books]}]
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: ledger, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: ledger, namespace: shop}
  sources: [{kind: ServiceAccount, name: caller, namespace: shop}, {kind: ServiceAccount, name: fresh, namespace: shop}, {kind: ServiceAccount, name: shopper, namespace: shop}]
  rules: [{kind: TCPRoute, name: echo}]
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: archive, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: archive, namespace: shop}
  sources: [{kind: ServiceAccount, name: caller, namespace: shop}, {kind: ServiceAccount, name: fresh, namespace: shop}, {kind: ServiceAccount, name: shopper, namespace: shop}]
  rules: [{kind: TCPRoute, name: echo}]
---
apiVersion: policy.openservicemesh.io/v1alpha1
kind: IngressBackend
metadata: {name: store, namespace: shop}
spec:
  backends: [{name: store, port: {number: 8080, protocol: http}}]
  sources: [{kind: Service, name: gateway, namespace: outside}]
---
apiVersion: policy.openservicemesh.io/v1alpha1
kind: Egress
metadata: {name: site, namespace: shop}
spec:
  sources: [{kind: ServiceAccount, name: caller, namespace: shop}, {kind: ServiceAccount, name: fresh, namespace: shop}, {kind: ServiceAccount, name: shopper, namespace: shop}]
  hosts: [site.outside.svc.cluster.local]
  ports: [{number: 8080, protocol: http}]
`

// deployApplications deploys the bookstore and the shop outside of any mesh, and waits until they are ready.
func deployApplications(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			for _, namespace := range members() {
				t.Log(cluster.Describe(context.Background(), namespace))
			}
		}
	})
	// The namespaces are not in the mesh yet, and the bookbuyer buys faster.
	edit := strings.NewReplacer(
		"    openservicemesh.io/monitored-by: osm", "    shop: books", "    openservicemesh.io/sidecar-injection: enabled", "    shop: books",
		buyerVariable, buyerVariable+fmt.Sprintf("        - name: CI_SLEEP_BETWEEN_REQUESTS_SECONDS\n          value: %q\n", fmt.Sprint(1/float64(scaled(buyerRate)))),
	)
	applyBookstore(t, "apps", edit.Replace)
	for _, namespace := range []string{shopNamespace, outsideNamespace} {
		lab.Must(t, cluster.CreateNamespace(t.Context(), namespace, ""))
	}
	none, one := intstr.FromInt32(0), intstr.FromInt32(1)
	template := newTemplate(t, shopNamespace, store)
	lab.Must(t, cluster.Create(t.Context(), &appsv1.Deployment{ObjectMeta: objectNamed(shopNamespace, store), Spec: appsv1.DeploymentSpec{
		Replicas: ptr.To[int32](2), Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template,
		Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &none, MaxSurge: &one}},
	}}))
	template = newTemplate(t, shopNamespace, ledger)
	lab.Must(t, cluster.Create(t.Context(), &appsv1.StatefulSet{ObjectMeta: objectNamed(shopNamespace, ledger), Spec: appsv1.StatefulSetSpec{
		ServiceName: ledger, Replicas: ptr.To[int32](2), Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template,
	}}))
	for _, name := range []string{gateway, site} {
		createPod(t, outsideNamespace, name)
	}
	lab.Must(t, cluster.Available(t.Context(), podLimit, members()...))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, outsideNamespace))
}

// applyBookstore applies a part of the bookstore of the demo, without the thief.
func applyBookstore(t *testing.T, part string, edit func(string) string) {
	t.Helper()
	files, err := filepath.Glob(cluster.Repository.Path("config", "samples", "bookstore", part, "*.yaml"))
	lab.Must(t, err)
	for _, file := range files {
		if strings.Contains(file, "thief") {
			continue
		}
		text, err := os.ReadFile(file)
		lab.Must(t, err)
		lab.Must(t, cluster.Apply(t.Context(), edit(string(text))))
	}
}

// newTemplate returns a pod template of the test tools, and creates its account and Service. OSM redirects only IPv4, so Services of two families would
// bypass it.
func newTemplate(t *testing.T, namespace, name string) corev1.PodTemplateSpec {
	t.Helper()
	account, pod := cluster.TestPod(namespace, name)
	service := lab.TestService(namespace, name)
	service.Spec.IPFamilyPolicy = ptr.To(corev1.IPFamilyPolicySingleStack)
	lab.Must(t, cluster.Create(t.Context(), account, service))
	pod.Spec.TerminationGracePeriodSeconds = ptr.To[int64](30)
	pod.Spec.Containers[0].ReadinessProbe.TimeoutSeconds, pod.Spec.Containers[0].ReadinessProbe.FailureThreshold = 10, 3
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}
}

// createPod creates a bare pod with its account and Service.
func createPod(t *testing.T, namespace, name string) {
	t.Helper()
	template := newTemplate(t, namespace, name)
	lab.Must(t, cluster.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: template.Labels}, Spec: template.Spec}))
}

// onboard adds the namespaces of the applications to the mesh, applies their policies, and restarts their workloads. It waits until all pods have
// sidecars of OSM.
func onboard(t *testing.T) {
	t.Helper()
	// OSM's TCPRoute has no name of its matches, and OSM serves another version of TrafficSplit, with the same fields.
	edit := strings.NewReplacer("    name: mysql\n    ports:", "    ports:", "split.smi-spec.io/v1alpha4", "split.smi-spec.io/v1alpha2")
	for _, part := range []string{"policies", "split"} {
		applyBookstore(t, part, edit.Replace)
	}
	lab.Must(t, cluster.Apply(t.Context(), shopPolicies))
	for _, namespace := range members() {
		kubectl(t, "label", "namespace", namespace, names.MonitoredByLabel+"="+names.DefaultMesh)
		kubectl(t, "annotate", "namespace", namespace, "--overwrite", names.InjectionAnnotation+"=enabled")
		kubectl(t, "rollout", "restart", "deployment,statefulset", "--namespace", namespace)
	}
	for _, name := range []string{archive, caller} {
		createPod(t, shopNamespace, name)
	}
	lab.Must(t, cluster.Available(t.Context(), podLimit, members()...))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, shopNamespace))
	for _, namespace := range members() {
		eventually(t, "all pods of "+namespace+" have sidecars of OSM", func(ctx context.Context) (bool, string, error) {
			left, err := podsWithout(ctx, namespace, hasSidecarOfOSM)
			return len(left) == 0, strings.Join(left, ", "), err
		})
	}
}

// podsWithout returns the names of the pods of a namespace that do not fulfil a condition.
func podsWithout(ctx context.Context, namespace string, condition func(*corev1.Pod) bool) ([]string, error) {
	var pods corev1.PodList
	err := cluster.Client.List(ctx, &pods, client.InNamespace(namespace))
	var left []string
	for i := range pods.Items {
		if pod := &pods.Items[i]; !condition(pod) {
			left = append(left, pod.Name)
		}
	}
	return left, err
}

// hasSidecarOfOSM reports whether the last container of a pod is OSM's sidecar.
func hasSidecarOfOSM(pod *corev1.Pod) bool {
	last := pod.Spec.Containers[len(pod.Spec.Containers)-1]
	return last.Name == names.SidecarContainer && pod.Labels[names.ProxyUUIDLabel] != "" && pod.Labels[names.RevisionLabel] == ""
}

// agent returns the agent of a bare pod.
func agent(t *testing.T, namespace, pod string) *lab.Agent {
	t.Helper()
	return cluster.Agent(t.Context(), namespace, pod, lab.AgentPort)
}

// url returns the URL of an app.
func url(namespace, app, path string) string {
	return fmt.Sprintf("http://%s.%s.svc.cluster.local:%d%s", app, namespace, lab.HTTPPort, path)
}

// echoAddress returns the address of the TCP server of an app.
func echoAddress(app string) string {
	return fmt.Sprintf("%s.%s.svc.cluster.local:%d", app, shopNamespace, lab.EchoPort)
}

func objectNamed(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}
