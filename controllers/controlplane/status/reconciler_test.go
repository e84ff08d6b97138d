package status

import (
	"context"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Conditions are written once, with one Event, until they change. A replica without the Lease writes nothing.
func TestReconcile_WritesChangesOnce(t *testing.T) {
	writes := 0
	stored := target(rule("HTTPRouteGroup", "none"))
	reader := fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(stored).WithStatusSubresource(stored).
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourcePatch: func(ctx context.Context, c client.Client, name string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
				writes++
				return c.SubResource(name).Patch(ctx, o, p, opts...)
			},
		}).Build()
	recorder := events.NewFakeRecorder(10)
	verdict := metav1.ConditionFalse
	r := &Reconciler{
		Client: reader, Recorder: recorder, Leader: &Leader{}, Kind: kinds.Object(kinds.TrafficTarget),
		Evaluate: func(context.Context, *unstructured.Unstructured) evaluation {
			return evaluation{conditions: []metav1.Condition{{Type: kinds.ConditionAccepted, Status: verdict, Reason: "Test", Message: "because"}}}
		},
		Rejections: noRejections(), InMesh: always,
	}
	request := ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "target"}}
	steps := []struct {
		name           string
		prepare        func()
		writes, events int
	}{
		{"not leading", func() {}, 0, 0},
		{"condition is False", func() { r.Leader.leading.Store(true) }, 1, 1},
		{"unchanged", func() {}, 1, 1},
		{"condition becomes True", func() { verdict = metav1.ConditionTrue }, 2, 2},
		{"unchanged", func() {}, 2, 2},
	}
	for _, step := range steps {
		step.prepare()
		if _, err := r.Reconcile(t.Context(), request); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if writes != step.writes || len(recorder.Events) != step.events {
			t.Errorf("%s: %d writes and %d Events so far, want %d and %d", step.name, writes, len(recorder.Events), step.writes, step.events)
		}
	}
}

// A rejection by a sidecar is reported in the condition and an Event until the sidecar accepts the object.
func TestReconcile_ReportsRejection(t *testing.T) {
	stored := target(rule("HTTPRouteGroup", "none"))
	writer := fake.NewClientBuilder().WithScheme(builtin(t)).WithObjects(stored, account("shop", "web"), account("shop", "client")).WithStatusSubresource(stored).Build()
	recorder := events.NewFakeRecorder(10)
	r := &Reconciler{
		Client: writer, Recorder: recorder, Leader: &Leader{}, Kind: kinds.Object(kinds.TrafficTarget), Rejections: (&fakeReplicas{}).rejections(), InMesh: always,
		Evaluate: evaluatorOf(meshOf(t, stored, account("shop", "web"), account("shop", "client"))).evaluate,
	}
	r.Leader.leading.Store(true)
	request := ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "target"}}
	reconcile := func() (ctrl.Result, metav1.Condition) {
		t.Helper()
		result, err := r.Reconcile(t.Context(), request)
		if err != nil {
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
		if accepted := meta.FindStatusCondition(conditions, kinds.ConditionAccepted); accepted != nil {
			return result, *accepted
		}
		return result, metav1.Condition{}
	}
	if result, accepted := reconcile(); result.RequeueAfter == 0 || accepted.Type != "" {
		t.Fatalf("written before the other replicas were polled: %v", accepted)
	}
	r.Rejections.update(report.Rejections{Rejections: []report.Rejection{rejection("target", "shop/web", "shop/web-1")}}, nil, true)
	if _, accepted := reconcile(); accepted.Reason != kinds.ReasonRejectedByProxy || !strings.Contains(accepted.Message, "bad regex: (") {
		t.Errorf("after the rejection: %v", accepted)
	}
	if event := <-recorder.Events; !strings.Contains(event, "Warning RejectedByProxy") || !strings.Contains(event, "shop/web-1") {
		t.Errorf("the Event is %q", event)
	}
	r.Rejections.update(report.Rejections{}, nil, true)
	if _, accepted := reconcile(); accepted.Status != metav1.ConditionTrue {
		t.Errorf("after the rejection was resolved: %v", accepted)
	}
}

// The status of a quiet kind is empty without problems: nothing is written until there is one, and it is emptied when the problem is solved.
func TestReconcile_KeepsQuietStatusEmpty(t *testing.T) {
	writes := 0
	stored := setting("s", 1, "web.shop.svc.cluster.local")
	writer := fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(stored).WithStatusSubresource(stored).
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourcePatch: func(ctx context.Context, c client.Client, name string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
				writes++
				return c.SubResource(name).Patch(ctx, o, p, opts...)
			},
		}).Build()
	recorder := events.NewFakeRecorder(10)
	var verdict metav1.Condition
	r := &Reconciler{
		Client: writer, Recorder: recorder, Leader: &Leader{}, Kind: kinds.Object(kinds.UpstreamTrafficSetting), OSMSummary: true, Quiet: true,
		Evaluate: func(context.Context, *unstructured.Unstructured) evaluation {
			return evaluation{conditions: []metav1.Condition{verdict}}
		},
		Rejections: noRejections(), InMesh: always,
	}
	r.Leader.leading.Store(true)
	plain := metav1.Condition{Type: kinds.ConditionAccepted, Status: metav1.ConditionTrue, Reason: kinds.ReasonAccepted, Message: "in force"}
	for _, step := range []struct {
		name    string
		verdict metav1.Condition
		// writes and events are totals.
		writes, events int
		empty          bool
	}{
		{"new", plain, 0, 0, true},
		{"unchanged", plain, 0, 0, true},
		{"with a problem", metav1.Condition{Type: kinds.ConditionAccepted, Status: metav1.ConditionFalse, Reason: finding.ReasonConflicted, Message: "because"}, 1, 1, false},
		{"in force again", plain, 2, 2, true},
		{"unchanged again", plain, 2, 2, true},
		{"in force in part", metav1.Condition{Type: kinds.ConditionAccepted, Status: metav1.ConditionTrue, Reason: "Partly", Message: "because"}, 3, 2, false},
	} {
		verdict = step.verdict
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(stored)}); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		object := kinds.Object(kinds.UpstreamTrafficSetting)
		if err := writer.Get(t.Context(), client.ObjectKeyFromObject(stored), object); err != nil {
			t.Fatal(err)
		}
		status, _, _ := unstructured.NestedMap(object.Object, "status")
		if writes != step.writes || len(recorder.Events) != step.events || (len(status) == 0) != step.empty {
			t.Errorf("%s: %d writes and %d Events so far, and the status is %v, want %+v", step.name, writes, len(recorder.Events), status, step)
		}
	}
}

// An object also has the status fields that OSM's tools read.
func TestReconcile_WritesOSMSummary(t *testing.T) {
	stored := setting("s", 1, "web.shop.svc.cluster.local")
	writer := fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(stored).WithStatusSubresource(stored).Build()
	verdict := metav1.Condition{Type: kinds.ConditionAccepted, Status: metav1.ConditionFalse, Reason: "Test", Message: "because"}
	r := &Reconciler{
		Client: writer, Recorder: events.NewFakeRecorder(10), Leader: &Leader{}, Kind: kinds.Object(kinds.UpstreamTrafficSetting), OSMSummary: true,
		Evaluate: func(context.Context, *unstructured.Unstructured) evaluation {
			return evaluation{conditions: []metav1.Condition{verdict}}
		},
		Rejections: noRejections(), InMesh: always,
	}
	r.Leader.leading.Store(true)
	for _, want := range []struct{ word, reason string }{{"error", "because"}, {"committed", "successfully committed by the system"}} {
		request := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(stored)}
		if _, err := r.Reconcile(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		object := kinds.Object(kinds.UpstreamTrafficSetting)
		if err := writer.Get(t.Context(), request.NamespacedName, object); err != nil {
			t.Fatal(err)
		}
		status, _, _ := unstructured.NestedMap(object.Object, "status")
		if status["currentStatus"] != want.word || status["reason"] != want.reason {
			t.Errorf("currentStatus is %q and reason %q, want %+v", status["currentStatus"], status["reason"], want)
		}
		verdict.Status, verdict.Reason = metav1.ConditionTrue, kinds.ReasonAccepted
	}
}
