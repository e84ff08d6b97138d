package observe

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// RunsActive is true when a role includes the mesh's own Deployments.
func RunsActive(role v1alpha1.Role) bool {
	return role == v1alpha1.RoleActive || role == v1alpha1.RolePromoting
}

// RunsCanary is true when a role includes Deployments with the revision in their names.
func RunsCanary(role v1alpha1.Role) bool {
	return role == v1alpha1.RoleCanary || role == v1alpha1.RolePromoting
}

// ActiveRevision is the revision that runs the mesh's own Deployments; nil for none.
func ActiveRevision(revisions []v1alpha1.MeshRevision) *v1alpha1.MeshRevision {
	return find(revisions, func(r *v1alpha1.MeshRevision) bool { return r.DeletionTimestamp == nil && RunsActive(r.Spec.Role) })
}

// CanaryRevision is the revision that runs the canary's Deployments; nil for none.
func CanaryRevision(revisions []v1alpha1.MeshRevision) *v1alpha1.MeshRevision {
	return find(revisions, func(r *v1alpha1.MeshRevision) bool { return r.DeletionTimestamp == nil && RunsCanary(r.Spec.Role) })
}

// FindRevision is the revision of that name; nil for none.
func FindRevision(revisions []v1alpha1.MeshRevision, name string) *v1alpha1.MeshRevision {
	return find(revisions, func(r *v1alpha1.MeshRevision) bool { return r.Name == name })
}

// find returns the first revision that matches, in its list; nil for none.
func find(revisions []v1alpha1.MeshRevision, matches func(*v1alpha1.MeshRevision) bool) *v1alpha1.MeshRevision {
	for i := range revisions {
		if matches(&revisions[i]) {
			return &revisions[i]
		}
	}
	return nil
}

// NextCanary is the revision that runs the canary's Deployments or will do so next; empty for none. Its certificate must exist before
// its injector starts. name is that of the desired revision.
func NextCanary(mesh *v1alpha1.Mesh, name string, revisions []v1alpha1.MeshRevision) string {
	if canary := CanaryRevision(revisions); canary != nil {
		return canary.Name
	}
	next := FindRevision(revisions, name)
	active := ActiveRevision(revisions)
	if next == nil || active == nil || next.Name == active.Name || next.DeletionTimestamp != nil || desired.Strategy(mesh) != v1alpha1.StrategyCanary {
		return ""
	}
	if next.Status.VerificationTime != nil || IsRejected(mesh, next) {
		return ""
	}
	return next.Name
}

// IsRejected reports whether the version of a revision failed with the present images, and nobody asks for another attempt.
func IsRejected(mesh *v1alpha1.Mesh, revision *v1alpha1.MeshRevision) bool {
	rejected := revision.Status.Rejected
	upgrade, _, _ := desired.UpgradeSettings(mesh)
	if rejected == nil || rejected.Images == nil {
		return false
	}
	return *rejected.Images == EffectiveImages(mesh, revision) && rejected.Attempt == ptr.Deref(upgrade.Attempt, "")
}

// EffectiveImages are the images of a revision, with that of the sidecar that the Mesh declares.
func EffectiveImages(mesh *v1alpha1.Mesh, revision *v1alpha1.MeshRevision) v1alpha1.RevisionImages {
	images := revision.Spec.Images
	if revision.Spec.Sidecar != nil {
		images.Sidecar = revision.Spec.Sidecar.Image
		return images
	}
	images.Sidecar = ptr.Deref(ptr.Deref(mesh.Spec.Sidecar, v1alpha1.SidecarSpec{}).Image, images.Sidecar)
	return images
}

// CanarySuffixes are the suffixes of the Deployments that a revision runs in its role; the mesh's own have none.
func CanarySuffixes(revision *v1alpha1.MeshRevision) []string {
	var suffixes []string
	if RunsActive(revision.Spec.Role) {
		suffixes = append(suffixes, "")
	}
	if RunsCanary(revision.Spec.Role) {
		suffixes = append(suffixes, names.CanarySuffix(revision.Spec.Mesh, revision.Name))
	}
	return suffixes
}

// RevisionOfService is the revision in the name of a canary's Service; empty for other Services.
func RevisionOfService(mesh, component, service string) string {
	suffix, ok := strings.CutPrefix(service, component+"-")
	if revision := mesh + "-" + suffix; ok && desired.IsRevisionOf(mesh, revision) {
		return revision
	}
	return ""
}

// AssessRevision repeats the condition Ready of a MeshRevision.
func AssessRevision(revision *v1alpha1.MeshRevision) conditions.Assessment {
	if revision == nil {
		return Waiting("the control plane is not applied yet")
	}
	ready := meta.FindStatusCondition(revision.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.ObservedGeneration != revision.Generation {
		return Waiting("the control plane is being applied")
	}
	return assess(ready)
}

// assess returns the state that a condition was written for. A stalled condition counts as failing.
func assess(c *metav1.Condition) conditions.Assessment {
	state := conditions.Progressing
	switch c.Status {
	case metav1.ConditionTrue:
		state = conditions.Ready
	case metav1.ConditionFalse:
		state = conditions.Failing
	}
	return conditions.Assessment{State: state, Reason: c.Reason, Message: c.Message}
}

// Waiting is the state of something that waits for something else.
func Waiting(message string) conditions.Assessment {
	return conditions.Assessment{State: conditions.Progressing, Reason: v1alpha1.ReasonProgressing, Message: message}
}

// Assess repeats a condition of a Mesh; a condition of an earlier generation is not evidence for this one.
func Assess(mesh *v1alpha1.Mesh, kind string) conditions.Assessment {
	c := meta.FindStatusCondition(mesh.Status.Conditions, kind)
	if c == nil || c.ObservedGeneration != mesh.Generation {
		return Waiting("waiting for the condition " + kind)
	}
	return assess(c)
}
