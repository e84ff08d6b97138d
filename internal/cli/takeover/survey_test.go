package takeover_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/version"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/cli/checks"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func controller(arguments ...string) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Namespace: "osm-system", Name: names.Controller, Labels: map[string]string{names.AppLabel: names.Controller, names.MeshNameLabel: "osm"},
	}}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: names.Controller, Args: append([]string{"--mesh-name", "osm", "--osm-version", "v1.2.4"}, arguments...)}}
	return d
}

// osmPod returns a pod with a sidecar of OSM.
func osmPod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", Labels: map[string]string{names.ProxyUUIDLabel: "0b0a3a1e-0c36-4fd3-9b07-5f0e6f5f0d11"}},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "web"}, {Name: names.SidecarContainer}},
			Volumes:    []corev1.Volume{{Name: "envoy-bootstrap-config-volume"}},
		},
	}
}

func survey(t *testing.T, from string, objects ...client.Object) (*takeover.Report, error) {
	t.Helper()
	scheme, err := kube.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	subject := checks.Subject{
		Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(), Now: time.Unix(0, 0),
		Kubernetes: func() (*version.Info, error) { return &version.Info{GitVersion: "v1.33.0"}, nil },
	}
	return takeover.Survey(t.Context(), subject, from, "osm-mesh")
}

func TestSurvey(t *testing.T) {
	config := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "config.openservicemesh.io/v1alpha2", "kind": "MeshConfig"}}
	config.SetNamespace("osm-system")
	config.SetName(names.MeshConfig)
	config.Object["spec"] = map[string]any{"traffic": map[string]any{"enablePermissiveTrafficPolicyMode": true}}
	target := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "access.smi-spec.io/v1alpha3", "kind": "TrafficTarget",
		"spec": map[string]any{"rules": []any{map[string]any{"kind": "HTTPRouteGroup", "name": "all"}}},
	}}
	target.SetNamespace("shop")
	target.SetName("all")
	webhook := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{
		Name: "osm-webhook-osm", Labels: map[string]string{names.NameLabel: names.AppName, names.InstanceLabel: "osm"},
	}}
	report, err := survey(t, "osm-system", controller("--trust-domain", "shop.example"), config, target, webhook, osmPod(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{names.MonitoredByLabel: "osm"}}})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.Print(&text); err != nil {
		t.Fatal(err)
	}
	if report.Blocked() || report.Workloads.Pods != 1 || *report.Mesh.Spec.Certificates.TrustDomain != "shop.example" || *report.Mesh.Spec.Adoption.From != "osm-system" {
		t.Errorf("the report is %s", text.String())
	}
	for _, want := range []string{
		"Open Service Mesh v1.2.4, mesh osm, in namespace osm-system (certificates: tresor, trust domain shop.example)",
		"which granted nothing in OSM and grants all matches in this mesh: shop/all",
		"Pod shop/web-1 (1 pod): restart or delete its pods yourself",
		"helm uninstall osm --namespace osm-system --no-hooks",
		"  1 workload that the operator does not restart may call workloads that it restarts\n",
		"  permissive mode is on, so no TrafficTarget says which callers must restart before what they call\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, text.String())
		}
	}
	for _, want := range []takeover.Effect{
		{Kind: "MutatingWebhookConfiguration", Objects: "osm-webhook-osm", Effect: "answered by this mesh from the step Injecting; going back restores it as it was"},
		{Kind: "TrafficTarget", Objects: "1", Effect: "remain unchanged and in effect"},
		{Kind: "Namespace", Objects: "1", Effect: "keep their labels, which keep their meaning"},
	} {
		if !slices.Contains(report.Objects, want) {
			t.Errorf("no effect %v in %v", want, report.Objects)
		}
	}
}

func TestSurveyFindsWhatIsInTheWay(t *testing.T) {
	config := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "config.openservicemesh.io/v1alpha2", "kind": "MeshConfig"}}
	config.SetNamespace("osm-system")
	config.SetName(names.MeshConfig)
	report, err := survey(t, "osm-system", controller("--certificate-manager", "vault"), config)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Blocks) != 1 || !strings.Contains(report.Blocks[0].Message, "certificate provider vault") {
		t.Errorf("in the way: %v", report.Blocks)
	}
	if len(report.BridgeReasons) > 0 {
		t.Errorf("the bridge is recommended for %q, although there is no workload", report.BridgeReasons)
	}
	if _, err := survey(t, "other", controller()); err == nil || !strings.Contains(err.Error(), "namespace other has no Deployment osm-controller") {
		t.Errorf("a namespace without OSM: %v", err)
	}
}
