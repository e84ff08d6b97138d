package builtin_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/builtin"
	"github.com/openservicemesh/osm-operator/internal/operator/component/egressgateway"
	"github.com/openservicemesh/osm-operator/internal/operator/component/ingressgateway"
	"github.com/openservicemesh/osm-operator/internal/operator/component/peergateway"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

// scheduled are settings that every component has.
var scheduled = v1alpha1.SchedulingSpec{
	NodeSelector: v1alpha1.Labels{"pool": "infra"}, Tolerations: []corev1.Toleration{{Key: "infra", Operator: corev1.TolerationOpExists}},
	Affinity:          &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: "zone"}}}},
	PriorityClassName: ptr.To("infra"), ImagePullSecrets: []v1alpha1.PullSecret{{Name: "registry"}},
}

// everyComponent is a mesh in which all pods of components have the same scheduling settings.
func everyComponent(s v1alpha1.SchedulingSpec) v1alpha1.MeshSpec {
	return v1alpha1.MeshSpec{
		ControlPlane:   &v1alpha1.ControlPlaneSpec{ImagePullSecrets: []v1alpha1.PullSecret{{Name: "of-control-plane"}}},
		IngressGateway: &v1alpha1.IngressGatewaySpec{GatewayPodsSpec: v1alpha1.GatewayPodsSpec{SchedulingSpec: s}},
		EgressGateway:  &v1alpha1.EgressGatewaySpec{GatewayPodsSpec: v1alpha1.GatewayPodsSpec{SchedulingSpec: s}},
		PeerGateway:    &v1alpha1.PeerGatewaySpec{GatewayPodsSpec: v1alpha1.GatewayPodsSpec{SchedulingSpec: s}},
		Observability: &v1alpha1.ObservabilitySpec{
			Prometheus:     &v1alpha1.PrometheusComponent{Managed: &v1alpha1.ManagedPrometheus{SchedulingSpec: s}},
			Grafana:        &v1alpha1.GrafanaComponent{Managed: &v1alpha1.ManagedGrafana{SchedulingSpec: s}},
			Jaeger:         &v1alpha1.JaegerComponent{Managed: &v1alpha1.ManagedJaeger{SchedulingSpec: s}},
			TrafficMetrics: &v1alpha1.TrafficMetricsComponent{Managed: &v1alpha1.ManagedTrafficMetrics{SchedulingSpec: s}},
		},
	}
}

// pods returns the pod of each Deployment of a component, by the name of the component.
func pods(t *testing.T, spec v1alpha1.MeshSpec) map[string]corev1.PodSpec {
	t.Helper()
	in, all := inputs(t), map[string]corev1.PodSpec{}
	in.Mesh.Spec = spec
	for _, c := range builtin.All() {
		objects, err := c.Render(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range objects {
			if template, found, _ := unstructured.NestedMap(object.Object, "spec", "template", "spec"); found && object.GetKind() == "Deployment" {
				var pod corev1.PodSpec
				if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, &pod); err != nil {
					t.Fatal(err)
				}
				all[c.Name()] = pod
			}
		}
	}
	if len(all) != 7 {
		t.Fatalf("%d components have pods, want seven", len(all))
	}
	return all
}

func TestPodsOfEveryComponentAreScheduledAsTheMeshDeclares(t *testing.T) {
	for name, pod := range pods(t, everyComponent(scheduled)) {
		if pod.NodeSelector["pool"] != "infra" || pod.NodeSelector["kubernetes.io/os"] != "linux" {
			t.Errorf("%s: the node selector is %v", name, pod.NodeSelector)
		}
		if len(pod.Tolerations) != 1 || pod.PriorityClassName != "infra" || len(pod.ImagePullSecrets) != 1 || pod.ImagePullSecrets[0].Name != "registry" {
			t.Errorf("%s: tolerations %v, priority class %q, pull secrets %v", name, pod.Tolerations, pod.PriorityClassName, pod.ImagePullSecrets)
		}
		if pod.Affinity == nil || len(pod.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution) != 1 ||
			pod.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].LabelSelector == nil {
			t.Errorf("%s: the affinity is %v, want a term that selects the pods of the component", name, pod.Affinity)
		}
	}
}

func TestPullSecretsOfTheControlPlaneAreTheDefault(t *testing.T) {
	for name, pod := range pods(t, everyComponent(v1alpha1.SchedulingSpec{})) {
		if len(pod.ImagePullSecrets) != 1 || pod.ImagePullSecrets[0].Name != "of-control-plane" {
			t.Errorf("%s: the pull secrets are %v", name, pod.ImagePullSecrets)
		}
	}
}

func TestOverlaysOfGateways(t *testing.T) {
	for text, want := range map[string]string{
		`{"spec": {"dnsPolicy": "Default"}}`:          "",
		`{"spec": {"serviceAccountName": "another"}}`: "the identity of the pods",
	} {
		gateway := v1alpha1.GatewayPodsSpec{Overlay: &runtime.RawExtension{Raw: []byte(text)}}
		in := inputs(t)
		in.Mesh.Spec.IngressGateway, in.Mesh.Spec.EgressGateway = &v1alpha1.IngressGatewaySpec{GatewayPodsSpec: gateway}, &v1alpha1.EgressGatewaySpec{GatewayPodsSpec: gateway}
		in.Mesh.Spec.PeerGateway = &v1alpha1.PeerGatewaySpec{GatewayPodsSpec: gateway}
		for _, c := range []component.Component{ingressgateway.Managed{}, egressgateway.Managed{}, peergateway.Managed{}} {
			objects, err := c.Render(in)
			if want != "" {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: the error is %v, want %q", c.Name(), err, want)
				}
				continue
			}
			patched := slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool {
				policy, _, _ := unstructured.NestedString(o.Object, "spec", "template", "spec", "dnsPolicy")
				return policy == "Default"
			})
			if err != nil || !patched {
				t.Errorf("%s: the pods have no overlay (%v)", c.Name(), err)
			}
		}
	}
}

func TestOverlaysOfServers(t *testing.T) {
	observability := func(text string) *v1alpha1.ObservabilitySpec {
		overlay := v1alpha1.OverlaySpec{Overlay: &runtime.RawExtension{Raw: []byte(text)}}
		return &v1alpha1.ObservabilitySpec{
			Prometheus:     &v1alpha1.PrometheusComponent{Managed: &v1alpha1.ManagedPrometheus{OverlaySpec: overlay}},
			Grafana:        &v1alpha1.GrafanaComponent{Managed: &v1alpha1.ManagedGrafana{OverlaySpec: overlay}},
			Jaeger:         &v1alpha1.JaegerComponent{Managed: &v1alpha1.ManagedJaeger{OverlaySpec: overlay}},
			TrafficMetrics: &v1alpha1.TrafficMetricsComponent{Managed: &v1alpha1.ManagedTrafficMetrics{OverlaySpec: overlay}},
		}
	}
	patched := pods(t, v1alpha1.MeshSpec{Observability: observability(`{"spec": {"hostAliases": [{"ip": "192.0.2.1", "hostnames": ["storage"]}]}}`)})
	rejected := 0
	in := inputs(t)
	in.Mesh.Spec.Observability = observability(`{"spec": {"serviceAccountName": "another"}}`)
	for _, c := range builtin.All() {
		var problem *operand.OverlayError
		if _, err := c.Render(in); errors.As(err, &problem) {
			rejected++
			if len(patched[c.Name()].HostAliases) != 1 {
				t.Errorf("%s: the pod has no overlay", c.Name())
			}
		}
	}
	if rejected != 4 {
		t.Errorf("%d servers reject an overlay that does not fit, want four", rejected)
	}
}
