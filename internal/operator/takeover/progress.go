package takeover

import (
	"slices"

	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// Progress is what a Mesh declares about an Open Service Mesh that it takes over, and how far it is.
type Progress struct {
	// From is the namespace of the Open Service Mesh.
	From string
	// Declared is the step of the spec. InEffect is the step of the status; empty before the first.
	Declared, InEffect v1alpha1.AdoptionStep
	// ServeSidecars leads the Service of the Open Service Mesh to this mesh.
	ServeSidecars bool
	// IsWithdrawn is true if spec.adoption was removed before the takeover was complete. The step in effect stays.
	IsWithdrawn bool
	// IsRemoval is true if the Mesh is being deleted, which goes back to the Open Service Mesh first.
	IsRemoval bool
}

// Of returns how far the takeover of a Mesh is; nil for a Mesh that takes nothing over.
func Of(mesh *v1alpha1.Mesh) *Progress {
	spec, status := ptr.Deref(mesh.Spec.Adoption, v1alpha1.AdoptionSpec{}), ptr.Deref(mesh.Status.Adoption, v1alpha1.AdoptionStatus{})
	t := &Progress{From: ptr.Deref(spec.From, ""), InEffect: v1alpha1.AdoptionStep(status.Step), ServeSidecars: ptr.Deref(spec.Service, "") == v1alpha1.AdoptionServiceRedirect}
	t.Declared = ptr.Deref(spec.Step, v1alpha1.AdoptionPrepared)
	if t.From == "" {
		if status.From == "" {
			return nil
		}
		t.From, t.IsWithdrawn, t.Declared, t.ServeSidecars = status.From, true, t.InEffect, IsRedirected(mesh)
	}
	if mesh.DeletionTimestamp != nil {
		t.IsRemoval, t.ServeSidecars = true, false
	}
	return t
}

// IsRedirected reports whether the Service of the Open Service Mesh leads to a mesh.
func IsRedirected(mesh *v1alpha1.Mesh) bool {
	return mesh.Status.Adoption != nil && mesh.Status.Adoption.Service == string(v1alpha1.AdoptionServiceRedirect)
}

// Steps are the steps of a takeover in their order.
func Steps() []v1alpha1.AdoptionStep {
	return []v1alpha1.AdoptionStep{v1alpha1.AdoptionPrepared, v1alpha1.AdoptionInjecting, v1alpha1.AdoptionRestarting, v1alpha1.AdoptionComplete}
}

// includes reports whether a step is not before another one.
func includes(step, other v1alpha1.AdoptionStep) bool {
	return slices.Index(Steps(), step) >= slices.Index(Steps(), other)
}

// WantsInjection reports whether new pods should get sidecars of this mesh.
func (t *Progress) WantsInjection() bool {
	return !t.IsRemoval && includes(t.Declared, v1alpha1.AdoptionInjecting)
}

// MayRegister reports whether the webhooks of a mesh may be registered and kept. Before that, the webhooks of the Open Service Mesh are recorded.
func MayRegister(mesh *v1alpha1.Mesh) bool {
	t := Of(mesh)
	return t == nil || t.WantsInjection() && includes(t.InEffect, v1alpha1.AdoptionInjecting)
}

// goesForward reports whether workloads restart for sidecars of this mesh.
func (t *Progress) goesForward() bool {
	return !t.IsRemoval && includes(t.Declared, v1alpha1.AdoptionRestarting) && includes(t.InEffect, v1alpha1.AdoptionRestarting)
}

func (t *Progress) goesBack() bool {
	return !t.IsWithdrawn && (t.IsRemoval || t.Declared == v1alpha1.AdoptionPrepared) && t.InEffect == v1alpha1.AdoptionPrepared
}

// WritesStatus reports whether the control plane of a mesh writes the status of policies. While an Open Service Mesh runs, that does.
func WritesStatus(mesh *v1alpha1.Mesh) bool {
	t := Of(mesh)
	return t == nil || t.InEffect == v1alpha1.AdoptionComplete
}

// FollowsAuthority reports whether the certificate authority of a mesh is the copy of another one.
func FollowsAuthority(mesh *v1alpha1.Mesh) bool {
	t := Of(mesh)
	return t != nil && t.InEffect != v1alpha1.AdoptionComplete
}
