package status

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// TestBoundIsReported checks that the TrafficTarget which offers too many Services to another namespace reports it.
func TestBoundIsReported(t *testing.T) {
	from := func(namespace string) *unstructured.Unstructured {
		return object(kinds.TrafficTarget, "t", 1, map[string]any{
			"destination": map[string]any{"kind": "ServiceAccount", "name": "server", "namespace": "shop"},
			"sources":     []any{map[string]any{"kind": "ServiceAccount", "name": "client", "namespace": namespace}},
			"rules":       []any{map[string]any{"kind": "TCPRoute", "name": "ports"}},
		})
	}
	labels := map[string]string{"app": "server"}
	others := []client.Object{
		object(kinds.TCPRoute, "ports", 1, map[string]any{}),
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "server", Labels: labels}, Spec: corev1.PodSpec{ServiceAccountName: "server"}},
	}
	for i := range authz.MaxCrossNamespacePorts + 1 {
		others = append(others, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("s%05d", i)},
			Spec:       corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80}}},
		})
	}
	for _, test := range []evaluateCase{
		{
			"clients of another namespace", from("bank"), others,
			map[string]string{kinds.ConditionAccepted: "False TooManyServices", kinds.ConditionResolvedRefs: resolved},
			"its sidecars lack 1 of the Services of shop/server, such as shop/s01000",
		},
		{"clients of the namespace", from("shop"), others, map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}, "in force"},
	} {
		t.Run(test.name, func(t *testing.T) { test.check(t) })
	}
}

// TestEndpointsBeyondTheBoundAreReported checks that pods and backends of TrafficSplits count for each port.
func TestEndpointsBeyondTheBoundAreReported(t *testing.T) {
	const ports = 200
	target := object(kinds.TrafficTarget, "t", 1, map[string]any{
		"destination": map[string]any{"kind": "ServiceAccount", "name": "server", "namespace": "shop"},
		"sources":     []any{map[string]any{"kind": "ServiceAccount", "name": "client", "namespace": "bank"}},
		"rules":       []any{map[string]any{"kind": "TCPRoute", "name": "ports"}},
	})
	labels := map[string]string{"app": "server"}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: corev1.ServiceSpec{Selector: labels}}
	for i := range int32(ports) {
		service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{Name: fmt.Sprint("http-", i), Port: i + 1})
	}
	with := func(pods, backends int) []client.Object {
		others := []client.Object{object(kinds.TCPRoute, "ports", 1, map[string]any{}), service}
		for i := range pods {
			others = append(others, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprint("p", i), Labels: labels}, Spec: corev1.PodSpec{ServiceAccountName: "server"}})
		}
		var list []any
		for i := range backends {
			list = append(list, map[string]any{"service": fmt.Sprint("b", i), "weight": int64(1)})
		}
		if backends > 0 {
			others = append(others, object(kinds.TrafficSplit, "s", 1, map[string]any{"service": "web", "backends": list}))
		}
		return others
	}
	const lacks = "more than 1000 ports, 5000 backends or 20000 endpoints of Services to bank/client, so its sidecars lack 1 of the Services of shop/server, such as shop/web"
	for _, test := range []evaluateCase{
		{"few pods", target, with(63, 25), map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}, "in force"},
		{"many pods", target, with(64, 0), map[string]string{kinds.ConditionAccepted: "False TooManyServices", kinds.ConditionResolvedRefs: resolved}, lacks},
		{"many backends", target, with(1, 26), map[string]string{kinds.ConditionAccepted: "False TooManyServices", kinds.ConditionResolvedRefs: resolved}, lacks},
	} {
		t.Run(test.name, func(t *testing.T) { test.check(t) })
	}
}
