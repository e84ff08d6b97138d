package status

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

func ingressBackend(name string, created, port int64) *unstructured.Unstructured {
	return object(kinds.IngressBackend, name, created, map[string]any{
		"backends": []any{map[string]any{"name": "web", "port": map[string]any{"number": port, "protocol": "http"}}},
		"sources":  []any{map[string]any{"kind": "Service", "namespace": "ingress", "name": "nginx"}},
	})
}

func TestEvaluateIngress(t *testing.T) {
	on := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-mesh-config"}}
	on.Spec.FeatureFlags.EnableIngressBackendPolicy = true
	off := on.DeepCopy()
	off.Spec.FeatureFlags.EnableIngressBackendPolicy = false
	web := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}},
	}
	handwritten := web.DeepCopy()
	handwritten.Spec.Selector = nil
	named := web.DeepCopy()
	named.Spec.Ports[0].TargetPort = intstr.FromString("http")
	nginx := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "ingress", Name: "nginx"}}
	routed := ingressBackend("b", 1, 8080)
	if err := unstructured.SetNestedSlice(routed.Object, []any{map[string]any{"kind": "HTTPRouteGroup", "name": "front"}}, "spec", "matches"); err != nil {
		t.Fatal(err)
	}
	empty := object(kinds.IngressBackend, "b", 1, map[string]any{"backends": []any{}, "sources": []any{}})
	all := []client.Object{on, web, nginx}
	for _, test := range []evaluateCase{
		{"everything exists", ingressBackend("b", 1, 8080), all, map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}, "in force"},
		{"a named target port", ingressBackend("b", 1, 8080), []client.Object{on, named, nginx}, map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}, "in force"},
		{"a Service without a selector", ingressBackend("b", 1, 8081), []client.Object{on, handwritten, nginx}, map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}, "in force"},
		{"policies are off", ingressBackend("b", 1, 8080), []client.Object{off, web, nginx}, map[string]string{kinds.ConditionAccepted: "False Disabled", kinds.ConditionResolvedRefs: resolved}, "enableIngressBackendPolicy"},
		{"no source", empty, all, map[string]string{kinds.ConditionAccepted: "False GrantsNothing"}, "admits nobody"},
		{"an older one", ingressBackend("b", 2, 8080), append(all, ingressBackend("a", 1, 8080)), map[string]string{kinds.ConditionAccepted: "False Conflicted", kinds.ConditionResolvedRefs: resolved}, "IngressBackend shop/a is older"},
		{"a younger one", ingressBackend("b", 1, 8080), append(all, ingressBackend("a", 2, 8080)), map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}, ""},
		{"no Service", ingressBackend("b", 1, 8080), []client.Object{on, nginx}, map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"}, "Service shop/web does not exist"},
		{"the port of the Service", ingressBackend("b", 1, 80), all, map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"}, "no targetPort 80, so nobody is admitted to it: write one of its target ports, 8080"},
		{"no gateway", ingressBackend("b", 1, 8080), []client.Object{on, web}, map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"}, "Service ingress/nginx of spec.sources does not exist"},
		{"no group", routed, all, map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"}, "HTTPRouteGroup shop/front does not exist"},
	} {
		t.Run(test.name, func(t *testing.T) { test.check(t) })
	}
}
