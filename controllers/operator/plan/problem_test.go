package plan

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// TestProblemNamesComponentsWithoutObjects checks that a plan does not pass for complete while a component of the simulated mesh cannot be applied:
// the mesh itself is ready then.
func TestProblemNamesComponentsWithoutObjects(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
	mesh.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady}}
	mesh.Status.Components = []v1alpha1.ComponentStatus{
		{Name: "egress-gateway", Ready: true, Reason: v1alpha1.ReasonReady},
		{Name: "ingress-gateway", Reason: v1alpha1.ReasonKindNotServed, Message: "no GatewayClass"},
		{Name: "monitors", Reason: v1alpha1.ReasonApplyFailed, Message: "denied"},
		{Name: "prometheus", Reason: v1alpha1.ReasonProgressing, Message: "no ready pod"},
	}
	ready, components, err := stateOf(t.Context(), fake.NewClientBuilder().WithScheme(scheme).WithObjects(mesh).Build(), "osm")
	if err != nil {
		t.Fatal(err)
	}
	if len(components.missing) != 1 || !strings.Contains(components.missing[0], "ingress-gateway: no GatewayClass") {
		t.Errorf("the components that wait for kinds are %q", components.missing)
	}
	const want = "component monitors: denied"
	if got := problemOf(ready, components.failed, nil); got.Message != want || got.Reason != v1alpha1.ReasonComponentFailed {
		t.Errorf("the problem is %s %q, want %q", got.Reason, got.Message, want)
	}
}
