package checks_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/checks"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
)

var now = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

// root is a root certificate that ends at a time.
func root(t *testing.T, end time.Time) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func subject(t *testing.T, objects ...client.Object) checks.Subject {
	scheme, err := kube.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	return checks.Subject{
		Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(),
		Mesh:   "osm", Namespace: "osm-system", Now: now,
		Kubernetes: func() (*version.Info, error) { return &version.Info{GitVersion: "v1.28.4"}, nil },
		Probe:      func(context.Context, string, string, int, string) error { return errors.New("503") },
	}
}

// lines are the results of groups, one a line.
func lines(groups []diagnosis.Finding) []string {
	var all []string
	for _, g := range groups {
		for _, r := range g.Parts {
			all = append(all, strings.ToLower(string(r.Severity))+": "+r.Message)
		}
	}
	return all
}

func contains(t *testing.T, groups []diagnosis.Finding, want ...string) {
	t.Helper()
	text := strings.Join(lines(groups), "\n")
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("no result %q among:\n%s", w, text)
		}
	}
}

func TestDataPlane(t *testing.T) {
	injected := map[string]string{"openservicemesh.io/sidecar-injection": "enabled"}
	member := map[string]string{"openservicemesh.io/monitored-by": "osm"}
	pod := func(name string, labels map[string]string, started *bool) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", Labels: labels}}
		if started != nil {
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "envoy", Started: started}}
		}
		return p
	}
	proxied := map[string]string{"osm-proxy-uuid": "x"}
	s := subject(t,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: member, Annotations: injected}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "osm-trust-osm", Namespace: "shop"}, Data: map[string]string{"ca.crt": root(t, now.Add(48*time.Hour))}},
		pod("good", proxied, ptr.To(true)), pod("slow", proxied, ptr.To(false)), pod("bare", nil, nil),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "till", Labels: member}},
	)
	got := lines(s.DataPlane(t.Context()))
	want := []string{
		"warning: the root certificate expires on 2026-11-22",
		"ok: 1 pod with a ready sidecar",
		"error: pods whose sidecar is not ready: slow",
		"warning: pods without a sidecar, to which no policies apply: bare",
		"error: ConfigMap osm-trust-osm not found: new pods do not start",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDataPlaneOnNodes has pods that no node has room for, and those of a node that does not report any more: its kubelet cannot say that they ended.
func TestDataPlaneOnNodes(t *testing.T) {
	pod := func(name, node string, condition corev1.PodCondition) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", Labels: map[string]string{"osm-proxy-uuid": "x"}}, Spec: corev1.PodSpec{NodeName: node},
			Status: corev1.PodStatus{Conditions: []corev1.PodCondition{condition}, InitContainerStatuses: []corev1.ContainerStatus{{Name: "envoy", Started: ptr.To(node != "")}}},
		}
	}
	node := func(name string, ready corev1.ConditionStatus) *corev1.Node {
		conditions := []corev1.NodeCondition{{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse}, {Type: corev1.NodeReady, Status: ready}}
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{Conditions: conditions}}
	}
	full := corev1.PodCondition{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/2 nodes are available: 2 Insufficient cpu.",
	}
	s := subject(t,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"openservicemesh.io/monitored-by": "osm"}}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "osm-trust-osm", Namespace: "shop"}, Data: map[string]string{"ca.crt": root(t, now.Add(100*24*time.Hour))}},
		node("here", corev1.ConditionTrue), node("away", corev1.ConditionUnknown),
		pod("good", "here", corev1.PodCondition{}), pod("lost", "away", corev1.PodCondition{}), pod("waits", "", full), pod("new", "", corev1.PodCondition{}),
	)
	got := lines(s.DataPlane(t.Context()))[1:]
	want := []string{
		"ok: 1 pod with a ready sidecar",
		"error: pods whose sidecar is not ready: new",
		"error: pods that wait for a node: waits: 0/2 nodes are available: 2 Insufficient cpu",
		"warning: pods whose node does not report: lost (away)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPreInstallFindsWhatIsInTheWay(t *testing.T) {
	s := subject(t,
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "osm-controller", Namespace: "old", Labels: map[string]string{"app": "osm-controller", "meshName": "older"}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "strict", Labels: map[string]string{"openservicemesh.io/monitored-by": "osm", "pod-security.kubernetes.io/enforce": "restricted"}}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "pool-1"}, Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{KubeletVersion: "v1.31.2"}}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "pool-2"}, Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{KubeletVersion: "v1.32.0"}}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "win"}, Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{OperatingSystem: "windows"}}},
	)
	contains(t, s.PreInstall(t.Context()),
		"warning: upgrades of sidecars in place (spec.upgrade.dataPlane.restart: InPlace): kubelets of version 1.32 or later are required, and these nodes have older ones: pool-1 (v1.31.2). Until then, new pods get one sidecar",
		"warning: destinations on demand (spec.sidecar.destinations: OnDemand): Kubernetes 1.33 or later is required, and this is v1.28.4. With an older one, sidecars load all",
		"warning: zones of sidecars: Kubernetes 1.35 or later is required",
		"error: Kubernetes v1.28.4 is not supported", "warning: sidecars require Linux, and these nodes run another operating system: win",
		"error: namespace old runs the control plane of mesh older, which has no Mesh object",
		"error: namespace strict enforces the pod security level restricted")
}

func TestPreInstallSaysWhatIsTakenOver(t *testing.T) {
	osms := map[string]string{"app.kubernetes.io/name": "openservicemesh.io", "app.kubernetes.io/instance": "osm"}
	service := &admissionv1.ServiceReference{Namespace: "osm-system", Name: "osm-injector"}
	s := subject(t,
		&configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-mesh-config"}, Spec: configv1alpha2.MeshConfigSpec{Traffic: configv1alpha2.TrafficSpec{EnableEgress: true}}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-ca-bundle"}},
		trafficTarget("wide", map[string]any{"kind": "HTTPRouteGroup", "name": "routes"}),
		trafficTarget("narrow", map[string]any{"kind": "HTTPRouteGroup", "name": "routes", "matches": []any{"books"}}),
		&admissionv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "osm-webhook-osm", Labels: osms},
			Webhooks:   []admissionv1.MutatingWebhook{{Name: "osm-inject.k8s.io", ClientConfig: admissionv1.WebhookClientConfig{Service: service}}},
		},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"openservicemesh.io/monitored-by": "osm"}}},
		&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart-1", Labels: map[string]string{"osm-proxy-uuid": "1"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "cart"}, {Name: "envoy"}}},
		},
	)
	groups := s.PreInstall(t.Context())
	contains(t, groups, "ok: no other mesh osm", "ok: the MeshConfig in namespace osm-system will be kept: permissive mode false, egress true",
		"ok: the certificate authority in Secret osm-system/osm-ca-bundle will be reused",
		"warning: webhook configuration osm-webhook-osm of a removed OSM has no server",
		"warning: 1 pod with an OSM sidecar that gets no configuration updates, such as shop/cart-1",
		"warning: these TrafficTargets refer to an HTTPRouteGroup without matches, which granted nothing in OSM and grants all matches in this mesh: shop/wide")
}

func trafficTarget(name string, rule map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "access.smi-spec.io/v1alpha3", "kind": "TrafficTarget", "metadata": map[string]any{"namespace": "shop", "name": name},
		"spec": map[string]any{"rules": []any{rule}},
	}}
}

func TestControlPlaneThatIsBroken(t *testing.T) {
	s := subject(t,
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "osm-controller", Namespace: "osm-system"}, Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](2)}, Status: appsv1.DeploymentStatus{ReadyReplicas: 1}},
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "osm-controller-a", Namespace: "osm-system", Labels: map[string]string{"app": "osm-controller"}}, Status: corev1.PodStatus{Phase: corev1.PodRunning}},
	)
	groups := s.ControlPlane(t.Context())
	contains(t, groups, "error: osm-controller: 1 of 2 pods ready", "error: readiness probe of pod osm-controller-a failed: 503",
		"error: Deployment osm-operator not found", "error: no pod of osm-injector is running",
		"error: webhook osm-webhook-osm not found", "error: Service osm-system/osm-validator has no ready endpoints")
	if worst := diagnosis.Worst(groups); worst != diagnosis.Error {
		t.Errorf("the worst is %s", worst)
	}
}

// A component that the Mesh enables and that cannot be installed is an error, with the command that mends it.
func TestComponentsAreChecked(t *testing.T) {
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
	mesh.Status.Components = []v1alpha1.ComponentStatus{
		{Name: "grafana", Ready: true},
		{Name: "jaeger", Reason: v1alpha1.ReasonProgressing, Message: "0 of 1 pods are ready"},
		{Name: "ingress-gateway", Reason: v1alpha1.ReasonKindNotServed, Message: "the API server does not serve [GatewayClass]: install the definitions with `kubectl apply -f x`"},
	}
	groups := subject(t, mesh).ControlPlane(t.Context())
	contains(t, groups, "error: component ingress-gateway is not installed, KindNotServed: the API server does not serve [GatewayClass]",
		"warning: component jaeger is not ready, Progressing: 0 of 1 pods are ready")
	i := slices.IndexFunc(groups, func(g diagnosis.Finding) bool {
		return slices.ContainsFunc(g.Parts, func(f diagnosis.Finding) bool { return f.Remedy == "install the definitions with `kubectl apply -f x`" })
	})
	if i < 0 {
		t.Errorf("the remedy is missing: %+v", groups)
	}
}

// While a Mesh is deleted, most conditions are absent, which is no fault of the operator.
func TestRemovalIsChecked(t *testing.T) {
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", DeletionTimestamp: &metav1.Time{Time: now}, Finalizers: []string{"x/y"}}}
	mesh.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionUnknown, Reason: "WaitingForSidecars", Message: "2 pods have a sidecar"}}
	groups := subject(t, mesh).ControlPlane(t.Context())
	contains(t, groups, "warning: the Mesh is being deleted since 2026-11-20T00:00:00Z, WaitingForSidecars: 2 pods have a sidecar")
	if text := strings.Join(lines(groups), "\n"); strings.Contains(text, "is not set yet") {
		t.Errorf("absent conditions are reported:\n%s", text)
	}
}

func TestControlPlaneOfACanaryIsChecked(t *testing.T) {
	s := subject(t)
	s.CanarySuffix = "v0-2-0"
	contains(t, s.ControlPlane(t.Context()),
		"error: Deployment osm-controller-v0-2-0 not found", "error: Deployment osm-injector-v0-2-0 not found",
		"error: no pod of osm-injector-v0-2-0 is running", "error: Service osm-system/osm-controller-v0-2-0 has no ready endpoints")
}

// TestOldKubeletsMatterForUpgradesInPlace checks a mesh that asks for them, and one that does not.
func TestOldKubeletsMatterForUpgradesInPlace(t *testing.T) {
	for restart, want := range map[v1alpha1.RestartMode]bool{v1alpha1.RestartInPlace: true, v1alpha1.RestartRolling: false} {
		mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
		mesh.Spec.Upgrade = &v1alpha1.UpgradeSpec{DataPlane: &v1alpha1.DataPlaneSpec{Restart: &restart}}
		s := subject(t, mesh, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "pool-1"}, Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{KubeletVersion: "v1.31.2"}}})
		got := strings.Join(lines(s.ControlPlane(t.Context())), "\n")
		if strings.Contains(got, "pool-1 (v1.31.2)") != want {
			t.Errorf("restart %s:\n%s", restart, got)
		}
	}
}
