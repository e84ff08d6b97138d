package podsecurity_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/builtin"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/podsecurity"
)

func violations(t *testing.T, spec corev1.PodSpec) []string {
	t.Helper()
	reasons, err := podsecurity.Violations(spec)
	if err != nil {
		t.Fatal(err)
	}
	return reasons
}

// requireRestricted verifies the pods of all Deployments, and returns their names.
func requireRestricted(t *testing.T, objects []*unstructured.Unstructured) (found []string) {
	t.Helper()
	for _, object := range objects {
		switch object.GetKind() {
		case "Deployment":
		case "DaemonSet", "StatefulSet", "Job", "CronJob", "Pod", "ReplicaSet":
			t.Errorf("%s %s: this test does not know its kind", object.GetKind(), object.GetName())
			continue
		default:
			continue
		}
		d := &appsv1.Deployment{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, d); err != nil {
			t.Fatal(err)
		}
		found = append(found, d.Name)
		for _, reason := range violations(t, d.Spec.Template.Spec) {
			t.Errorf("Deployment %s: %s", d.Name, reason)
		}
	}
	return found
}

func catalogue(t *testing.T) *operand.Catalogue {
	t.Helper()
	c, err := operand.NewCatalogue("v9.9.9", operand.Images{Controller: "c", Injector: "i", Init: "example/init", Sidecar: "example/envoy"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parameters(release *operand.Release) operand.Parameters {
	return operand.Parameters{
		Mesh: "osm", Namespace: "osm-system", OperatorNamespace: names.OperatorNamespace, Revision: "osm-v9-9-9", TrustDomain: "cluster.local",
		Controller: operand.Workload{Replicas: 2}, Injector: operand.Workload{Replicas: 2}, Images: release.Images,
	}
}

func TestOperatorIsRestricted(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "manager", "deployment.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(content, &object.Object); err != nil {
		t.Fatal(err)
	}
	if found := requireRestricted(t, []*unstructured.Unstructured{object}); len(found) != 1 {
		t.Errorf("found %v, want the Deployment of the operator", found)
	}
}

// TestControlPlanesAreRestricted checks every version that can be installed.
func TestControlPlanesAreRestricted(t *testing.T) {
	c := catalogue(t)
	for _, version := range c.Known() {
		release, err := c.Release(version)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := release.ControlPlane(parameters(release))
		if err != nil {
			t.Fatal(err)
		}
		if found := requireRestricted(t, objects); !slices.Contains(found, names.Controller) || !slices.Contains(found, names.Injector) {
			t.Errorf("version %s has the Deployments %v, want the controller and the injector", version, found)
		}
	}
}

// TestComponentsAreRestricted checks all components. The settings that change pods have values: storage, and a Secret.
func TestComponentsAreRestricted(t *testing.T) {
	release, err := catalogue(t).Release("v9.9.9")
	if err != nil {
		t.Fatal(err)
	}
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}, Spec: v1alpha1.MeshSpec{Observability: &v1alpha1.ObservabilitySpec{
		Jaeger: &v1alpha1.JaegerComponent{Managed: &v1alpha1.ManagedJaeger{StorageSecretRef: &v1alpha1.SecretKeyReference{Name: "storage", Key: "backend.yaml"}}},
		Prometheus: &v1alpha1.PrometheusComponent{
			Mode: ptr.To(v1alpha1.PrometheusManaged), Managed: &v1alpha1.ManagedPrometheus{StorageClassName: ptr.To("fast")},
		},
	}}}
	inputs := component.Inputs{Mesh: mesh, ControlPlanes: []component.ControlPlane{{Release: release, Parameters: parameters(release)}}}
	var found []string
	for _, c := range builtin.All() {
		objects, err := c.Render(inputs)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, requireRestricted(t, objects)...)
	}
	slices.Sort(found)
	if want := []string{"jaeger", "osm-egress-gateway", "osm-grafana", "osm-ingress-gateway", "osm-peer-gateway", "osm-prometheus", "osm-traffic-metrics"}; !slices.Equal(found, want) {
		t.Errorf("components have the Deployments %v, want %v", found, want)
	}
}

// application is a pod that the standard allows.
const application = `
metadata: {name: app, namespace: shop, labels: {app: app}}
spec:
  serviceAccountName: app
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: app
    image: example/app
    readinessProbe: {httpGet: {path: /, port: 8080}}
    securityContext: {allowPrivilegeEscalation: false, runAsUser: 1000, capabilities: {drop: [ALL]}}
`

// TestOnlyOSMInitNeedsPrivileges injects a pod that the standard allows. Without osm-init, the standard allows the result.
func TestOnlyOSMInitNeedsPrivileges(t *testing.T) {
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict([]byte(application), pod); err != nil {
		t.Fatal(err)
	}
	if reasons := violations(t, pod.Spec); len(reasons) > 0 {
		t.Fatalf("the application is forbidden without a sidecar: %v", reasons)
	}
	injected, err := inject.Mutate(pod, inject.Namespace{Name: "shop", Labels: map[string]string{names.MonitoredByLabel: "osm"}}, inject.Config{
		Mesh: "osm", Namespace: "osm-system", TrustDomain: "cluster.local", Revision: "osm-v9-9-9", EnvoyImage: "example/envoy", InitImage: "example/init",
	}, "a1b2")
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range violations(t, injected.Spec) {
		if !strings.Contains(reason, `"`+names.InitContainer+`"`) || strings.Contains(reason, `"`+names.SidecarContainer+`"`) {
			t.Errorf("%s: want violations of %s only", reason, names.InitContainer)
		}
	}
	without := injected.DeepCopy()
	without.Spec.InitContainers = slices.DeleteFunc(without.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == names.InitContainer })
	if len(without.Spec.InitContainers) != len(injected.Spec.InitContainers)-1 || len(injected.Spec.InitContainers) != 2 {
		t.Fatalf("the pod has the init containers %d and %d, want osm-init and the sidecar", len(injected.Spec.InitContainers), len(without.Spec.InitContainers))
	}
	if reasons := violations(t, without.Spec); len(reasons) > 0 {
		t.Errorf("the sidecar is forbidden: %v", reasons)
	}
}

// TestViolationsAreFound has a pod that the standard forbids.
func TestViolationsAreFound(t *testing.T) {
	spec := corev1.PodSpec{HostNetwork: true, Containers: []corev1.Container{{Name: "app"}}}
	if reasons := strings.Join(violations(t, spec), "; "); !strings.Contains(reasons, "host namespaces") || !strings.Contains(reasons, "runAsNonRoot") {
		t.Errorf("reasons %q, want the host network and the user", reasons)
	}
}
