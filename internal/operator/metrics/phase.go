package metrics

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// PhaseOf returns the phase of a Mesh and its start time, derived from the rest of the status. Both are zero for a Mesh whose status does
// not determine a phase yet.
func PhaseOf(mesh *v1alpha1.Mesh) (v1alpha1.MeshPhase, time.Time) {
	status := mesh.Status
	if paused := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionPaused); paused != nil {
		return v1alpha1.PhasePaused, paused.LastTransitionTime.Time
	}
	if status.Removal != nil {
		return v1alpha1.MeshPhase(status.Removal.Phase), status.Removal.StartTime.Time
	}
	if planned := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionPlanned); planned != nil {
		return v1alpha1.PhasePlanned, planned.LastTransitionTime.Time
	}
	if status.Upgrade != nil {
		return v1alpha1.MeshPhase(status.Upgrade.Phase), status.Upgrade.StartTime.Time
	}
	if len(status.History) > 0 {
		return v1alpha1.PhaseIdle, status.History[0].CompletionTime.Time
	}
	return "", time.Time{}
}
