package status

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
)

// Reconciler keeps the status of the objects of one kind.
type Reconciler struct {
	Client   client.Client
	Recorder events.EventRecorder
	Leader   *Leader
	// Empty is an empty object of the kind.
	Empty *unstructured.Unstructured
	Judge Judge
	// Summarised says that the status has OSM's fields currentStatus and reason, too.
	Summarised bool
	// Rejections knows what sidecars say.
	Rejections *Rejections
	// InMesh says whether the mesh looks after a namespace; the status of others is not ours to write.
	InMesh func(ctx context.Context, namespace string) (bool, error)
}

// Reconcile judges one object and writes what changed. A replica that does not lead writes nothing.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if !r.Leader.Leading() {
		return ctrl.Result{}, nil
	}
	kind := r.Empty.GroupVersionKind()
	rejected, known := r.Rejections.of(kind.Kind, request.Namespace, request.Name)
	if !known {
		return ctrl.Result{RequeueAfter: time.Second}, nil
	}
	object := traffic.Object(kind)
	if err := r.Client.Get(ctx, request.NamespacedName, object); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if ours, err := r.InMesh(ctx, object.GetNamespace()); err != nil || !ours {
		return ctrl.Result{}, err
	}
	wanted, err := r.Judge(ctx, r.Client, object)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("judge %s %s: %w", object.GetKind(), request, err)
	}
	if len(rejected) > 0 {
		for i := range wanted {
			if wanted[i].Type == Accepted {
				wanted[i] = rejectedBy(rejected, wanted[i])
			}
		}
	}
	return ctrl.Result{}, client.IgnoreNotFound(r.write(ctx, object, wanted))
}

// write patches the conditions when they differ, and records an Event for each that turned.
func (r *Reconciler) write(ctx context.Context, object *unstructured.Unstructured, wanted []metav1.Condition) error {
	current, err := conditionsOf(object)
	if err != nil {
		return err
	}
	changed, turned := false, []metav1.Condition{}
	for _, condition := range wanted {
		condition.ObservedGeneration = object.GetGeneration()
		before := meta.FindStatusCondition(current, condition.Type)
		if turns(before, condition) {
			turned = append(turned, condition)
		}
		changed = meta.SetStatusCondition(&current, condition) || changed
	}
	status := map[string]any{"conditions": current}
	if r.Summarised {
		changed = summarise(object, current, status) || changed
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
	for _, condition := range turned {
		r.record(object, condition)
	}
	return nil
}

// summarise adds what OSM's tools read of a status, and says whether the object has something else.
func summarise(object *unstructured.Unstructured, conditions []metav1.Condition, status map[string]any) bool {
	word, reason := "committed", "successfully committed by the system"
	if accepted := meta.FindStatusCondition(conditions, Accepted); accepted != nil && accepted.Status == metav1.ConditionFalse {
		word, reason = "error", accepted.Message
	}
	status["currentStatus"], status["reason"] = word, reason
	hasWord, _, _ := unstructured.NestedString(object.Object, "status", "currentStatus")
	hasReason, _, _ := unstructured.NestedString(object.Object, "status", "reason")
	return hasWord != word || hasReason != reason
}

// turns says whether a condition is worth an Event: it changes its status, or is False for another reason.
func turns(before *metav1.Condition, after metav1.Condition) bool {
	if before == nil {
		return after.Status == metav1.ConditionFalse
	}
	return before.Status != after.Status || after.Status == metav1.ConditionFalse && before.Reason != after.Reason
}

func (r *Reconciler) record(object *unstructured.Unstructured, condition metav1.Condition) {
	kind := corev1.EventTypeNormal
	if condition.Status == metav1.ConditionFalse {
		kind = corev1.EventTypeWarning
	}
	r.Recorder.Eventf(object, nil, kind, condition.Reason, "Judge", "%s is %s: %s", condition.Type, condition.Status, condition.Message)
}

func conditionsOf(object *unstructured.Unstructured) ([]metav1.Condition, error) {
	status, _, err := unstructured.NestedMap(object.Object, "status")
	if err != nil {
		return nil, fmt.Errorf("status of %s is not an object: %w", object.GetName(), err)
	}
	var typed struct {
		Conditions []metav1.Condition `json:"conditions"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(status, &typed); err != nil {
		return nil, fmt.Errorf("conditions of %s cannot be read: %w", object.GetName(), err)
	}
	return typed.Conditions, nil
}
