package status

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/metrics"
)

// RecordPhase records an Event when a written status has another phase of an upgrade or of a removal. The condition Ready says when a
// mesh is idle or paused.
func RecordPhase(recorder events.EventRecorder, before, after *v1alpha1.Mesh) {
	was, _ := metrics.PhaseOf(before)
	is, _ := metrics.PhaseOf(after)
	if was == is || slices.Contains([]v1alpha1.MeshPhase{"", v1alpha1.PhaseIdle, v1alpha1.PhasePaused, v1alpha1.PhasePlanned}, is) {
		return
	}
	message := ""
	if status := after.Status; status.Removal != nil {
		message = status.Removal.Message
	} else if status.Upgrade != nil {
		message = status.Upgrade.Message
	}
	if message == "" {
		message = "under way"
	}
	recorder.Eventf(after, nil, corev1.EventTypeNormal, "PhaseBegun", "Begin "+string(is), "%s: %s", is, message)
}
