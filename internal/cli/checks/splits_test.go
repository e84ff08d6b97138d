package checks_test

import (
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
)

// TestSplitToNobodyIsAWarning checks a TrafficSplit with a backend without ready pods. Its conditions are True, because its Services exist.
func TestSplitToNobodyIsAWarning(t *testing.T) {
	split := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "split.smi-spec.io/v1alpha4", "kind": "TrafficSplit", "metadata": map[string]any{"namespace": "shop", "name": "orders"},
		"spec": map[string]any{"service": "orders", "backends": []any{
			map[string]any{"service": "v1", "weight": int64(80)}, map[string]any{"service": "v2", "weight": int64(20)}, map[string]any{"service": "v3", "weight": int64(0)},
		}},
	}}
	slice := func(service string, ready bool) *discoveryv1.EndpointSlice {
		return &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: service, Labels: map[string]string{discoveryv1.LabelServiceName: service}},
			AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.1.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(ready)}}},
		}
	}
	const warning = "warning: backend v1 gets 80% of the requests and has no ready pod: they get status 503"
	contains(t, subject(t, split, slice("v1", false), slice("v2", true)).Policies(t.Context()), warning)
	for _, line := range lines(subject(t, split, slice("v1", true), slice("v2", true)).Policies(t.Context())) {
		if line != "ok: 1 policies, all in force" {
			t.Errorf("with ready pods: %s", line)
		}
	}
}
