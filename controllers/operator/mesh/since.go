package mesh

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// stepSince is when the present step began: when the revision took its role, or a workload was restarted for it last.
func (s *scope) stepSince() time.Time {
	since := s.current.CreationTimestamp.Time
	if s.current.Status.RoleSince != nil {
		since = s.current.Status.RoleSince.Time
	}
	return s.latest(since, func(w rollout.Workload) time.Time { return w.Restart.At })
}

// wellSince is since when everything is well that gates ask for; zero as long as that was not seen in the present step. That pods are
// ready is not enough: what is wrong with a version shows once sidecars have connected to it.
func (s *scope) wellSince() time.Time {
	noted := s.current.Status.WellSince
	if s.situation.Since.IsZero() || !s.inStep(noted) {
		return time.Time{}
	}
	since := noted.Time
	if s.situation.Since.After(since) {
		since = s.situation.Since
	}
	return s.latest(since, func(w rollout.Workload) time.Time { return w.ReadySince })
}

// latest is the latest of a moment and those of the workloads that were restarted for the wanted revision.
func (s *scope) latest(moment time.Time, of func(rollout.Workload) time.Time) time.Time {
	moments := []time.Time{moment}
	for _, w := range s.situation.Workloads {
		if w.Restart.Revision == s.situation.Wanted || s.triedByHand(w) {
			moments = append(moments, of(w))
		}
	}
	return slices.MaxFunc(moments, time.Time.Compare)
}

// inStep says whether something was noted in the present step.
func (s *scope) inStep(noted *metav1.Time) bool { return noted != nil && noted.After(s.stepSince()) }

// unwellSince is since when not everything is well. A step has its timeout to become well first. Afterwards, while it soaks, pods of the
// control plane may be moved and sidecars may connect again: each time there is the timeout anew.
func (s *scope) unwellSince() time.Time {
	status := s.current.Status
	switch {
	case !s.inStep(status.WellSince):
		return s.stepSince()
	case s.inStep(status.UnwellSince):
		return status.UnwellSince.Time
	}
	return s.situation.Now
}

// noteHealth writes down when everything was well first in the present step, and since when it is not any more.
func (r *Reconciler) noteHealth(ctx context.Context, s *scope) error {
	now := metav1.NewTime(r.Now().Truncate(time.Second))
	well, status := rollout.Well(s.situation.Verdicts), s.current.Status
	was, ill := s.inStep(status.WellSince), s.inStep(status.UnwellSince)
	switch {
	case well && (!was || ill):
		return r.note(ctx, s.current, func(status *v1alpha1.MeshRevisionStatus) {
			if !was {
				status.WellSince = &now
			}
			status.UnwellSince = nil
		})
	case !well && was && !ill:
		return r.note(ctx, s.current, func(status *v1alpha1.MeshRevisionStatus) { status.UnwellSince = &now })
	}
	return nil
}
