package rollout

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// stepStart is when the present step began: when the revision took its role, when a workload was restarted for it last, or when gates were
// evaluated again after a time in which nobody could.
func (s *scope) stepStart() time.Time {
	since := s.current.CreationTimestamp.Time
	if s.current.Status.RoleStartTime != nil {
		since = s.current.Status.RoleStartTime.Time
	}
	if resumed := s.current.Status.ResumedTime; resumed != nil && resumed.After(since) {
		since = resumed.Time
	}
	return s.latest(since, func(w rollout.Workload) time.Time { return w.Restart.At })
}

const (
	// observationPrecision is how often the time of the last evaluation is stored.
	observationPrecision = 20 * time.Second
	// maxObservationGap is how long gates may go without an evaluation. Load reports are forgotten after a minute without readers.
	maxObservationGap = time.Minute
)

// resume starts the step anew if nobody could evaluate its gates for a while, because the mesh was paused, or the operator or the API server
// was away. Neither the timeout nor the soak counts such a time.
func (r *Reconciler) resume(ctx context.Context, s *scope) error {
	last := s.stepStart()
	if observed := s.current.Status.ObservedTime; observed != nil && observed.After(last) {
		last = observed.Time
	}
	now := metav1.NewTime(r.Now().Truncate(time.Second))
	if now.Sub(last) <= maxObservationGap {
		return nil
	}
	return r.recordOnRevision(ctx, s.current, func(status *v1alpha1.MeshRevisionStatus) {
		status.ResumedTime, status.ObservedTime, status.UnhealthyTime = &now, &now, nil
	})
}

// recordObservation stores when the gates were evaluated.
func (r *Reconciler) recordObservation(ctx context.Context, s *scope) error {
	now := metav1.NewTime(r.Now().Truncate(time.Second))
	if observed := s.current.Status.ObservedTime; observed != nil && now.Sub(observed.Time) < observationPrecision {
		return nil
	}
	return r.recordOnRevision(ctx, s.current, func(status *v1alpha1.MeshRevisionStatus) { status.ObservedTime = &now })
}

// healthySince is since when everything is well that gates ask for; zero as long as that was not seen in the present step. That pods are
// ready is not enough: what is wrong with a version shows once sidecars have connected to it.
func (s *scope) healthySince() time.Time {
	noted := s.current.Status.HealthyTime
	if s.situation.ReadySince.IsZero() || !s.isInStep(noted) {
		return time.Time{}
	}
	since := noted.Time
	if s.situation.ReadySince.After(since) {
		since = s.situation.ReadySince
	}
	return s.latest(since, func(w rollout.Workload) time.Time { return w.ReadySince })
}

// latest is the latest of a moment and those of the workloads that were restarted for the desired revision.
func (s *scope) latest(moment time.Time, of func(rollout.Workload) time.Time) time.Time {
	moments := []time.Time{moment}
	for _, w := range s.situation.Workloads {
		if w.Restart.Revision == s.situation.Desired || s.isRestartedByHand(w) {
			moments = append(moments, of(w))
		}
	}
	return slices.MaxFunc(moments, time.Time.Compare)
}

// isInStep is true when something was noted in the present step.
func (s *scope) isInStep(noted *metav1.Time) bool { return noted != nil && noted.After(s.stepStart()) }

// unhealthySince is since when not everything is well. A step has its timeout to become well first. Afterwards, while it soaks, pods of the
// control plane may be moved and sidecars may connect again: each time there is the timeout anew.
func (s *scope) unhealthySince() time.Time {
	status := s.current.Status
	switch {
	case !s.isInStep(status.HealthyTime):
		return s.stepStart()
	case s.isInStep(status.UnhealthyTime):
		return status.UnhealthyTime.Time
	}
	return s.situation.Now
}

// recordHealth writes down when everything was well first in the present step, and since when it is not any more.
func (r *Reconciler) recordHealth(ctx context.Context, s *scope) error {
	now := metav1.NewTime(r.Now().Truncate(time.Second))
	well, status := rollout.PassedExceptSoak(s.situation.Verdicts), s.current.Status
	was, ill := s.isInStep(status.HealthyTime), s.isInStep(status.UnhealthyTime)
	switch {
	case well && (!was || ill):
		return r.recordOnRevision(ctx, s.current, func(status *v1alpha1.MeshRevisionStatus) {
			if !was {
				status.HealthyTime = &now
			}
			status.UnhealthyTime = nil
		})
	case !well && was && !ill:
		return r.recordOnRevision(ctx, s.current, func(status *v1alpha1.MeshRevisionStatus) { status.UnhealthyTime = &now })
	}
	return nil
}
