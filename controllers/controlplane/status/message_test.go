package status

import (
	"fmt"
	"testing"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
)

// The API server rejects a status with a message of more than 32,768 characters, and an Event with a note of more than 1,024 bytes. A policy
// with many problems has both all the same.
func TestReconcile_CutsMessagesOfManyProblems(t *testing.T) {
	stored := target(rule("TCPRoute", "ports"))
	var sources []any
	for i := range 2000 {
		sources = append(sources, map[string]any{"kind": "ServiceAccount", "name": fmt.Sprintf("client-%d", i), "namespace": "shop"})
	}
	stored.Object["spec"].(map[string]any)["sources"] = sources
	writer := fake.NewClientBuilder().WithScheme(builtin(t)).WithObjects(stored).WithStatusSubresource(stored).Build()
	recorder := events.NewFakeRecorder(10)
	r := &Reconciler{
		Client: writer, Recorder: recorder, Leader: &Leader{}, Kind: kinds.Object(kinds.TrafficTarget), Evaluate: evaluatorOf(meshOf(t, stored)).evaluate,
		Rejections: noRejections(), InMesh: always,
	}
	r.Leader.leading.Store(true)
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(stored)}); err != nil {
		t.Fatal(err)
	}
	written := kinds.Object(kinds.TrafficTarget)
	if err := writer.Get(t.Context(), client.ObjectKeyFromObject(stored), written); err != nil {
		t.Fatal(err)
	}
	conditions, err := kinds.ConditionsOf(written)
	if err != nil || len(conditions) != 3 {
		t.Fatalf("conditions %v, error %v", conditions, err)
	}
	for _, c := range conditions {
		if len(c.Message) > message.MaxCondition || !utf8.ValidString(c.Message) {
			t.Errorf("%s has a message of %d bytes", c.Type, len(c.Message))
		}
	}
	if prefix := len("Warning RefNotFound "); len(<-recorder.Events) > prefix+message.MaxNote {
		t.Error("the note of the Event is too long")
	}
	if conditions[0].Status != metav1.ConditionTrue {
		t.Errorf("the first condition is %+v, want status True", conditions[0])
	}
}
