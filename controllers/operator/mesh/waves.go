package mesh

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// restart restarts the workloads of the plan's wave. One that has changed since it was observed is looked at again.
func (r *Reconciler) restart(ctx context.Context, s *scope) error {
	target := s.plan.Wave.Target
	for _, ref := range s.plan.Wave.Restart {
		err := r.DataPlane.Restart(ctx, ref, target, r.Now())
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			s.lookAgain(glance)
			continue
		}
		if err != nil {
			return err
		}
		r.Metrics.Restarted(s.mesh.Name)
		r.say(s, corev1.EventTypeNormal, "Restarted", "Restart "+ref.String(), "restarted %s for the sidecars of %s", ref, target)
	}
	return nil
}

// told is what a wave has to say to people: at most some workloads of each sort.
func told(w rollout.Wave) string {
	var sentences []string
	for _, part := range []struct {
		what  string
		notes []rollout.Note
	}{
		{"restarting", plain(append(append([]rollout.Ref{}, w.Restart...), w.Underway...))},
		{"waiting", w.Waiting},
		{"cannot be restarted now", w.Stuck},
		{"left to you", w.Manual},
	} {
		if len(part.notes) > 0 {
			sentences = append(sentences, part.what+": "+some(part.notes))
		}
	}
	return strings.Join(sentences, "; ")
}

func plain(refs []rollout.Ref) (notes []rollout.Note) {
	for _, ref := range refs {
		notes = append(notes, rollout.Note{Ref: ref})
	}
	return notes
}
