package status

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// Ready is False if any other condition is, and has its reason.
func TestReadySummarizes(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "because of " + reason}
	}
	good, restricted := condition(kinds.ConditionAccepted, metav1.ConditionTrue, kinds.ReasonAccepted), condition(kinds.ConditionAccepted, metav1.ConditionTrue, "NotCaptured")
	broken := condition(kinds.ConditionResolvedRefs, metav1.ConditionFalse, finding.ReasonRefNotFound)
	for name, test := range map[string]struct {
		conditions []metav1.Condition
		want       metav1.Condition
	}{
		"all True":       {[]metav1.Condition{good}, metav1.Condition{Type: kinds.ConditionReady, Status: metav1.ConditionTrue, Reason: kinds.ReasonReady, Message: "in force"}},
		"broken refs":    {[]metav1.Condition{good, broken}, condition(kinds.ConditionReady, metav1.ConditionFalse, finding.ReasonRefNotFound)},
		"with a warning": {[]metav1.Condition{restricted}, condition(kinds.ConditionReady, metav1.ConditionTrue, "NotCaptured")},
		"both False":     {[]metav1.Condition{condition(kinds.ConditionAccepted, metav1.ConditionFalse, "Disabled"), broken}, condition(kinds.ConditionReady, metav1.ConditionFalse, "Disabled")},
	} {
		if diff := cmp.Diff(test.want, summarize(test.conditions)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The reconciler writes Ready without an Event of its own.
func TestReadyIsWritten(t *testing.T) {
	stored := target(rule("HTTPRouteGroup", "none"))
	writer := fake.NewClientBuilder().WithScheme(builtin(t)).WithObjects(stored, account("shop", "web"), account("shop", "client")).WithStatusSubresource(stored).Build()
	recorder := events.NewFakeRecorder(10)
	r := &Reconciler{
		Client: writer, Recorder: recorder, Leader: &Leader{}, Kind: kinds.Object(kinds.TrafficTarget), Rejections: noRejections(), InMesh: always,
		Evaluate: evaluatorOf(meshOf(t, stored, account("shop", "web"), account("shop", "client"))).evaluate,
	}
	r.Leader.leading.Store(true)
	request := ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "target"}}
	if _, err := r.Reconcile(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	object := kinds.Object(kinds.TrafficTarget)
	if err := writer.Get(t.Context(), request.NamespacedName, object); err != nil {
		t.Fatal(err)
	}
	conditions, err := kinds.ConditionsOf(object)
	if err != nil {
		t.Fatal(err)
	}
	ready := meta.FindStatusCondition(conditions, kinds.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionFalse || ready.Reason != finding.ReasonRefNotFound {
		t.Errorf("Ready is %v, want False with %s", ready, finding.ReasonRefNotFound)
	}
	if len(recorder.Events) != 1 {
		t.Errorf("%d Events, want the one of ResolvedRefs", len(recorder.Events))
	}
}
