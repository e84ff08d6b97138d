package observe

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
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
