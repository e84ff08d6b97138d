package olm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	operators "github.com/operator-framework/api/pkg/operators/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/enqueue"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
)

// NameVariable is the environment variable in which the Operator Lifecycle Manager says the name of the OperatorCondition. Other installations have none.
const NameVariable = "OPERATOR_CONDITION_NAME"

// The reasons of the condition Upgradeable.
const (
	reasonIdle      = "Idle"
	reasonUpgrading = "MeshUpgrading"
)

// Reconciler sets the condition after each change of a Mesh. All fields are required.
type Reconciler struct {
	// Meshes reads from a cache.
	Meshes client.Reader
	// Conditions reads and writes the OperatorCondition, which nothing watches.
	Conditions client.Client
	// Condition names the OperatorCondition, in the namespace of the operator.
	Condition client.ObjectKey
	Now       func() time.Time
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	var meshes v1alpha1.MeshList
	if err := r.Meshes.List(ctx, &meshes); err != nil {
		return reconcile.Result{}, fmt.Errorf("the Meshes cannot be listed: %w", err)
	}
	live := &operators.OperatorCondition{}
	if err := r.Conditions.Get(ctx, r.Condition, live); err != nil {
		return reconcile.Result{}, fmt.Errorf("the OperatorCondition %s of this operator cannot be read: %w", r.Condition, err)
	}
	before := live.DeepCopy()
	condition := upgradeable(meshes.Items)
	condition.LastTransitionTime = metav1.NewTime(r.Now().Truncate(time.Second))
	if !meta.SetStatusCondition(&live.Spec.Conditions, condition) {
		return reconcile.Result{}, nil
	}
	if err := r.Conditions.Patch(ctx, live, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return reconcile.Result{}, fmt.Errorf("the OperatorCondition %s cannot be written: %w", r.Condition, err)
	}
	return reconcile.Result{}, nil
}

// upgradeable is the condition for these meshes: False while one of them goes from one version to another. A mesh that is installed, or that
// waits for somebody, does not hold up another version of the operator, which may have what it needs.
func upgradeable(meshes []v1alpha1.Mesh) metav1.Condition {
	var waiting []string
	for i := range meshes {
		mesh := &meshes[i]
		u := mesh.Status.Upgrade
		if u == nil || u.From == "" || !isMoving(mesh) {
			continue
		}
		waiting = append(waiting, fmt.Sprintf("Mesh %s is upgraded from %s to %s, phase %s", mesh.Name, u.From, desired.DestinationName(u), u.Phase))
	}
	if len(waiting) == 0 {
		return metav1.Condition{Type: operators.Upgradeable, Status: metav1.ConditionTrue, Reason: reasonIdle, Message: "no mesh is being upgraded"}
	}
	slices.Sort(waiting)
	return metav1.Condition{
		Type: operators.Upgradeable, Status: metav1.ConditionFalse, Reason: reasonUpgrading, Message: message.ForCondition(strings.Join(waiting, "; ")),
	}
}

// isMoving reports whether the upgrade of a mesh goes on by itself.
func isMoving(mesh *v1alpha1.Mesh) bool {
	waits := mesh.Status.Upgrade.Phase == v1alpha1.UpgradeRolledBack || mesh.Status.Upgrade.Phase == v1alpha1.UpgradeHalted
	return !waits && !meta.IsStatusConditionTrue(mesh.Status.Conditions, v1alpha1.ConditionPaused) && mesh.DeletionTimestamp == nil
}

// SetupWithManager adds the controller to mgr. It also reconciles at the start: without a Mesh there is no event, and an earlier operator may have left False.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	start := source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		queue.Add(reconcile.Request{})
		return nil
	})
	return ctrl.NewControllerManagedBy(mgr).Named("olm").For(&v1alpha1.Mesh{}).WatchesRawSource(start).Complete(enqueue.RetryConflicts(r))
}
