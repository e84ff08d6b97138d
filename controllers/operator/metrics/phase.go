package metrics

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// The phases that a mesh can be in beside those of an upgrade and of a removal.
const (
	// Paused: spec.paused keeps the operator from changing anything.
	Paused = "Paused"
	// Settled: the mesh runs the version that it asks for.
	Settled = string(rollout.Settled)
)

// PhaseOf says what the status of a Mesh tells about where it is, and since when: a phase of a removal or of an upgrade, Paused or
// Settled. Both are zero for a Mesh whose status tells nothing yet.
func PhaseOf(mesh *v1alpha1.Mesh) (string, time.Time) {
	status := mesh.Status
	switch paused := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionPaused); {
	case paused != nil:
		return Paused, paused.LastTransitionTime.Time
	case status.Removal != nil:
		return status.Removal.Phase, status.Removal.Since.Time
	case status.Upgrade != nil:
		return status.Upgrade.Phase, status.Upgrade.Since.Time
	case len(status.History) > 0:
		return Settled, status.History[0].Ended.Time
	}
	return "", time.Time{}
}
