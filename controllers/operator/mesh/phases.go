package mesh

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/metrics"
)

// tellPhase writes an Event when the mesh has come to another phase of an upgrade or of its removal. That it is settled or paused, its
// condition Ready says.
func (r *Reconciler) tellPhase(s *scope, before *v1alpha1.Mesh) {
	was, _ := metrics.PhaseOf(before)
	is, _ := metrics.PhaseOf(s.mesh)
	if was == is || is == metrics.Settled || is == metrics.Paused || is == "" {
		return
	}
	message := ""
	if status := s.mesh.Status; status.Removal != nil {
		message = status.Removal.Message
	} else if status.Upgrade != nil {
		message = status.Upgrade.Message
	}
	if message == "" {
		message = "under way"
	}
	r.say(s, corev1.EventTypeNormal, "PhaseBegun", "Begin "+is, "%s: %s", is, message)
}
