package observe

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// Finalizer keeps a Mesh until what it consists of is removed in order.
const Finalizer = "operator.openservicemesh.io/mesh"

// Mode is what the operator may do about a Mesh.
type Mode int

// The modes.
const (
	// Apply brings the mesh to its declared state.
	Apply Mode = iota
	// Maintain keeps certificates, trust and status of an installed mesh, and changes nothing else: spec.paused, or spec.mode Plan.
	Maintain
	// Remove removes the mesh.
	Remove
)

// ModeOf is the mode of a Mesh. A deletion waits while the Mesh is paused or planned.
func ModeOf(mesh *v1alpha1.Mesh) Mode {
	switch {
	case IsPaused(mesh) || IsPlanOnly(mesh):
		return Maintain
	case mesh.DeletionTimestamp != nil:
		return Remove
	}
	return Apply
}

// IsPaused is true when spec.paused keeps the operator from changing the mesh.
func IsPaused(mesh *v1alpha1.Mesh) bool { return ptr.Deref(mesh.Spec.Paused, false) }

// IsPlanOnly is true when a Mesh asks for a plan alone.
func IsPlanOnly(mesh *v1alpha1.Mesh) bool {
	return ptr.Deref(mesh.Spec.Mode, v1alpha1.ModeApply) == v1alpha1.ModePlan
}

// IsAccepted is true when the mesh controller has accepted this generation of the spec and prepared the namespace for it.
func IsAccepted(mesh *v1alpha1.Mesh) bool {
	installed := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionInstalled)
	if ModeOf(mesh) != Apply || installed == nil || installed.ObservedGeneration != mesh.Generation {
		return false
	}
	return installed.Status == metav1.ConditionTrue || installed.Reason == v1alpha1.ReasonWaitingForReplicas
}

// IsStalled is true when the mesh controller has rejected this generation of the spec, or has not decided about it yet.
func IsStalled(mesh *v1alpha1.Mesh) bool {
	installed := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionInstalled)
	return installed == nil || installed.ObservedGeneration != mesh.Generation ||
		installed.Status == metav1.ConditionFalse && installed.Reason != v1alpha1.ReasonApplyFailed
}

// NeedsMaintenance is true when certificates and trust of a mesh are to be kept: its spec is accepted, or its control plane runs,
// whatever has become of the spec or the namespace since. Nothing is kept where another mesh claims the namespace before this one has a control
// plane there, nor once the control plane is being deleted.
func (c *Cluster) NeedsMaintenance(ctx context.Context, mesh *v1alpha1.Mesh) (bool, error) {
	declared := c.Desired(mesh)
	namespace, err := c.Namespace(ctx, declared.Namespace)
	if err != nil || namespace == nil || namespace.DeletionTimestamp != nil {
		return false, err
	}
	if removal := mesh.Status.Removal; removal != nil && removal.Phase == v1alpha1.RemovalDeleting {
		return false, nil
	}
	claimed, err := c.Claimed(ctx, mesh)
	if err != nil {
		return false, err
	}
	if claimed == nil && IsAccepted(mesh) {
		return true, nil
	}
	return c.IsDeployed(ctx, mesh.Name, declared.Namespace)
}

// UpgradeSettings is what a Mesh declares about upgrades, with nothing nil in between.
func UpgradeSettings(mesh *v1alpha1.Mesh) (v1alpha1.UpgradeSpec, v1alpha1.GatesSpec, v1alpha1.DataPlaneSpec) {
	upgrade := ptr.Deref(mesh.Spec.Upgrade, v1alpha1.UpgradeSpec{})
	return upgrade, ptr.Deref(upgrade.Gates, v1alpha1.GatesSpec{}), ptr.Deref(upgrade.DataPlane, v1alpha1.DataPlaneSpec{})
}

// Strategy is how the mesh moves to its next version, with the default applied.
func Strategy(mesh *v1alpha1.Mesh) v1alpha1.UpgradeStrategyType {
	upgrade, _, _ := UpgradeSettings(mesh)
	return ptr.Deref(ptr.Deref(upgrade.Strategy, v1alpha1.UpgradeStrategy{}).Type, v1alpha1.DefaultStrategy)
}

// Bounds are the bounds of the gates, with defaults applied.
func Bounds(mesh *v1alpha1.Mesh) rollout.Bounds {
	_, gates, _ := UpgradeSettings(mesh)
	return rollout.Bounds{
		Soak: gates.Soak.ValueOr(v1alpha1.DefaultSoak), Timeout: gates.Timeout.ValueOr(v1alpha1.DefaultStepTimeout),
		MaxErrorRateIncrease: ptr.Deref(gates.MaxErrorRateIncrease, v1alpha1.DefaultMaxErrorRateIncrease).Share(),
		MaxRejected:          int(ptr.Deref(gates.MaxRejectedConfigs, 0)),
		MaxDisconnected:      ptr.Deref(gates.MaxDisconnected, intstr.FromString(v1alpha1.DefaultMaxDisconnected)),
		MaxRestarts:          int(ptr.Deref(gates.MaxRestarts, v1alpha1.DefaultMaxRestarts)),
	}
}

// Limits are the limits of restarts, with defaults applied.
func Limits(mesh *v1alpha1.Mesh) rollout.Limits {
	_, _, plane := UpgradeSettings(mesh)
	restart := ptr.Deref(plane.Restart, v1alpha1.RestartRolling)
	return rollout.Limits{
		MaxUnavailable: ptr.Deref(plane.MaxUnavailable, intstr.FromString(v1alpha1.DefaultMaxUnavailable)),
		MaxConcurrent:  int(ptr.Deref(plane.MaxConcurrentRestarts, v1alpha1.DefaultMaxConcurrentRestarts)),
		Pause:          plane.PauseBetween.ValueOr(v1alpha1.DefaultPauseBetween),
		Manual:         restart == v1alpha1.RestartManual,
		InPlace:        restart == v1alpha1.RestartInPlace,
		Timeout:        Bounds(mesh).Timeout,
		DrainTimeout:   desired.DrainTimeout(mesh),
	}
}
