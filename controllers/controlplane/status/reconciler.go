package status

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
)

// Reconciler writes the status of the objects of one kind.
type Reconciler struct {
	Client   client.Client
	Recorder events.EventRecorder
	Leader   *Leader
	// Kind is an empty object of the kind.
	Kind *unstructured.Unstructured
	// Evaluate evaluates an object, and Forget is called for one that no longer exists.
	Evaluate func(context.Context, *unstructured.Unstructured) evaluation
	Forget   func(entity.Ref)
	// LookupHost resolves the names of servers.
	LookupHost HostLookup
	// OSMSummary adds OSM's status fields currentStatus and reason.
	OSMSummary bool
	// Quiet keeps the status of objects without problems empty, see kinds.Facts.
	Quiet bool
	// Recheck is the interval at which objects are evaluated without a change; 0 for never.
	Recheck time.Duration
	// Rejections provides the rejections of sidecars, and the servers that do not answer them.
	Rejections *Rejections
	// InMesh reports whether an object is part of the mesh. The status of others is never written.
	InMesh func(ctx context.Context, object *unstructured.Unstructured) (bool, error)
}

// Reconcile evaluates one object and writes changed conditions. A replica without the Lease writes nothing.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if !r.Leader.Leading() {
		return ctrl.Result{}, nil
	}
	kind := r.Kind.GroupVersionKind()
	rejected, known := r.Rejections.Of(kind.Kind, request.Namespace, request.Name)
	if !known {
		return ctrl.Result{RequeueAfter: time.Second}, nil
	}
	object := kinds.Object(kind)
	if err := r.Client.Get(ctx, request.NamespacedName, object); err != nil {
		if apierrors.IsNotFound(err) {
			r.Forget(refOf(kind, request))
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if member, err := r.InMesh(ctx, object); err != nil || !member {
		return ctrl.Result{}, err
	}
	evaluated := r.Evaluate(ctx, object)
	conditions := evaluated.conditions
	limited := r.Rejections.limitedIn(kind.Kind, request.Namespace, request.Name)
	for i := range conditions {
		if conditions[i].Type == kinds.ConditionAccepted && limited != "" {
			conditions[i] = limitedCondition(kind.Kind, limited, conditions[i])
		}
		if conditions[i].Type == kinds.ConditionAccepted && len(rejected) > 0 {
			conditions[i] = rejectedCondition(rejected, conditions[i])
		}
	}
	answers, err := r.answers(ctx, object, evaluated.servers)
	if err != nil {
		return ctrl.Result{}, err
	}
	recheck := r.Recheck
	if answers != nil {
		conditions, recheck = append(conditions, *answers), lookupInterval
	}
	return ctrl.Result{RequeueAfter: recheck}, client.IgnoreNotFound(r.write(ctx, object, append(conditions, summarize(conditions))))
}

// answers returns the condition ServiceAnswers; nil for an object without a server.
func (r *Reconciler) answers(ctx context.Context, object *unstructured.Unstructured, servers []decisionServer) (*metav1.Condition, error) {
	if len(servers) == 0 {
		return nil, nil
	}
	before, err := kinds.ConditionsOf(object)
	if err != nil {
		return nil, err
	}
	c := answersCondition(ctx, servers, &r.Rejections.servers, r.LookupHost, before)
	return &c, nil
}

// refOf returns the catalog reference of a requested object.
func refOf(kind schema.GroupVersionKind, request ctrl.Request) entity.Ref {
	return kinds.RefOf(kinds.EntryKind(kind), entity.Name{Namespace: request.Namespace, Name: request.Name})
}

// write patches changed conditions, and records an Event for each transition, except those of the summary.
func (r *Reconciler) write(ctx context.Context, object *unstructured.Unstructured, conditions []metav1.Condition) error {
	current, err := kinds.ConditionsOf(object)
	if err != nil {
		return err
	}
	changed, transitions := false, []metav1.Condition{}
	for _, condition := range conditions {
		condition.ObservedGeneration, condition.Message = object.GetGeneration(), message.ForCondition(condition.Message)
		before := meta.FindStatusCondition(current, condition.Type)
		if condition.Type != kinds.ConditionReady && isTransition(before, condition) {
			transitions = append(transitions, condition)
		}
		changed = meta.SetStatusCondition(&current, condition) || changed
	}
	if meta.FindStatusCondition(conditions, kinds.ConditionServiceAnswers) == nil {
		changed = meta.RemoveStatusCondition(&current, kinds.ConditionServiceAnswers) || changed
	}
	status := map[string]any{"conditions": current}
	if r.OSMSummary {
		changed = addOSMSummary(object, current, status) || changed
	}
	if r.Quiet && kinds.IsPlain(conditions) {
		status, changed = emptyStatus(object)
	}
	if !changed {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	if err := r.Client.Status().Patch(ctx, object, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		return err
	}
	for _, condition := range transitions {
		r.recordEvent(object, condition)
	}
	return nil
}

// emptyStatus returns the merge patch that removes what a Reconciler has written into a status, and whether there is anything to remove.
func emptyStatus(object *unstructured.Unstructured) (patch map[string]any, needed bool) {
	patch = map[string]any{}
	for _, field := range []string{"conditions", "currentStatus", "reason"} {
		if _, found, err := unstructured.NestedFieldNoCopy(object.Object, "status", field); err != nil || found {
			patch[field] = nil
		}
	}
	return patch, len(patch) > 0
}

// addOSMSummary adds the status fields that OSM's tools read, and reports whether they differ from the object's.
func addOSMSummary(object *unstructured.Unstructured, conditions []metav1.Condition, status map[string]any) bool {
	currentStatus, reason := "committed", "successfully committed by the system"
	if accepted := meta.FindStatusCondition(conditions, kinds.ConditionAccepted); accepted != nil && accepted.Status == metav1.ConditionFalse {
		currentStatus, reason = "error", accepted.Message
	}
	status["currentStatus"], status["reason"] = currentStatus, reason
	oldStatus, _, _ := unstructured.NestedString(object.Object, "status", "currentStatus")
	oldReason, _, _ := unstructured.NestedString(object.Object, "status", "reason")
	return oldStatus != currentStatus || oldReason != reason
}

// isTransition reports whether a change of a condition needs an Event: its status changed, or its reason while it is False.
func isTransition(before *metav1.Condition, after metav1.Condition) bool {
	if before == nil {
		return after.Status == metav1.ConditionFalse
	}
	return before.Status != after.Status || after.Status == metav1.ConditionFalse && before.Reason != after.Reason
}

func (r *Reconciler) recordEvent(object *unstructured.Unstructured, condition metav1.Condition) {
	kind := corev1.EventTypeNormal
	if condition.Status == metav1.ConditionFalse {
		kind = corev1.EventTypeWarning
	}
	note := fmt.Sprintf("%s is %s: %s", condition.Type, condition.Status, condition.Message)
	r.Recorder.Eventf(object, nil, kind, condition.Reason, "Evaluate", "%s", message.ForEvent(note))
}

// condition returns a condition for problems. It is True without problems, or if all are about an object that
// applies. Their texts are in its message.
func condition(conditionType, okReason string, problems []ingest.Problem) metav1.Condition {
	if len(problems) == 0 {
		return metav1.Condition{Type: conditionType, Status: metav1.ConditionTrue, Reason: okReason, Message: "in force"}
	}
	result := metav1.Condition{Type: conditionType, Status: metav1.ConditionTrue, Reason: problems[0].Reason, Message: messagesOf(problems)}
	if i := slices.IndexFunc(problems, func(p ingest.Problem) bool { return !p.InForce() }); i >= 0 {
		result.Status, result.Reason = metav1.ConditionFalse, problems[i].Reason
	}
	return result
}

func messagesOf(problems []ingest.Problem) string {
	return strings.Join(lists.Map(problems, ingest.Problem.StatusMessage), " ")
}

// summarize returns the condition Ready for the other conditions of an object.
func summarize(conditions []metav1.Condition) metav1.Condition {
	ready := metav1.Condition{Type: kinds.ConditionReady, Status: metav1.ConditionTrue, Reason: kinds.ReasonReady, Message: "in force"}
	for _, c := range conditions {
		restricted := c.Reason != kinds.ReasonAccepted && c.Reason != kinds.ReasonResolvedRefs && c.Reason != kinds.ReasonServiceAnswers
		if ready.Status == metav1.ConditionTrue && (c.Status != metav1.ConditionTrue || ready.Reason == kinds.ReasonReady && restricted) {
			ready.Status, ready.Reason, ready.Message = c.Status, c.Reason, c.Message
		}
	}
	return ready
}
