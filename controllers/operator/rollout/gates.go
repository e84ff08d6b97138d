package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// Health observes control planes.
type Health interface {
	Read(ctx context.Context, target health.Target) (health.Observation, error)
}

// baselineTimeout is how long the reports of the version before are waited for; then the gates evaluate the new one without comparison.
const baselineTimeout = time.Minute

// maxBaselineNames bounds the workloads and the pods that a baseline lists.
const maxBaselineNames = 256

// noHealth is the observation of a control plane that is not observed.
var noHealth = health.Observation{}

// isUpgrading is true when there is a version to come from and one to go to that has not been verified.
func (s *scope) isUpgrading() bool {
	good, verified := false, false
	for _, revision := range s.situation.Revisions {
		if revision.Name == s.situation.Desired {
			verified = !revision.Verified.IsZero()
		} else {
			good = good || !revision.Verified.IsZero()
		}
	}
	return good && !verified
}

// isActing is true when the desired revision runs anything.
func (s *scope) isActing() bool {
	return s.situation.Desired == s.situation.Active || s.situation.Desired == s.situation.Canary
}

// evaluateGates evaluates the gates of the desired revision.
func (r *Reconciler) evaluateGates(ctx context.Context, s *scope) error {
	if s.current == nil || !s.isActing() {
		return nil
	}
	if err := r.resume(ctx, s); err != nil {
		return err
	}
	reading, err := r.Health.Read(ctx, r.healthTarget(ctx, s.current))
	if err != nil {
		return err
	}
	if s.situation.Desired == s.situation.Active {
		s.setRoles(reading)
	}
	if err := r.recordRestarts(ctx, s, reading.Restarts); err != nil {
		return err
	}
	s.situation.Verdicts = rollout.Evaluate(r.addPrometheus(ctx, s, observation(s, reading)), desired.Bounds(s.mesh))
	if err := r.recordHealth(ctx, s); err != nil {
		return err
	}
	return r.recordObservation(ctx, s)
}

// healthTarget is a revision as its health is observed. Without a usable root its replicas cannot be asked, and what they would report is
// absent.
func (r *Reconciler) healthTarget(ctx context.Context, revision *v1alpha1.MeshRevision) health.Target {
	var roots []byte
	if root, err := r.Root(ctx, revision.Spec.Namespace); err == nil && root != nil {
		roots = root.CertPEM()
	}
	return health.TargetOf(revision, roots)
}

// observation is the input of the gates.
func observation(s *scope, reading health.Observation) rollout.Observation {
	status, restarts := s.current.Status, restartsInStep(s.current, reading.Restarts)
	o := rollout.Observation{
		Now: s.situation.Now, UnhealthySince: s.unhealthySince(), HealthySince: s.healthySince(),
		Controller: replicas(status.Controller), Injector: replicas(status.Injector), Earlier: reading.Earlier,
		Restarts: &restarts, CertificatesUntil: reading.CertificatesUntil, Flows: reading.Flows,
		Revision: s.situation.Desired, TakeOvers: rollout.CountTakeOvers(s.situation.Workloads, s.situation.Desired, s.situation.Limits, s.situation.Now),
	}
	if s.situation.ReadySince.IsZero() {
		// What the status counts may still be about another role, or another generation.
		o.Controller.Ready, o.Injector.Ready = 0, 0
	}
	if reading.Proxies != nil {
		baseline := ptr.Deref(status.Baseline, v1alpha1.RevisionBaseline{})
		connection := s.connection(reading.Proxies)
		connection.Before, connection.Since = baseline.Disconnected, baseline.Time.Time
		proxies := connection.Proxies()
		proxies.Rejected, proxies.Example = reading.Proxies.RejectingExcept(baseline.Rejecting)
		o.Proxies = &proxies
	}
	if baseline := status.Baseline; baseline != nil && baseline.ErrorRate != "" {
		rate := v1alpha1.Percentage(baseline.ErrorRate).Share()
		o.Baseline = &rate
	}
	return o
}

func replicas(status v1alpha1.WorkloadStatus) rollout.Replicas {
	return rollout.Replicas{Desired: int(status.Replicas), Ready: int(status.Ready)}
}

// connection compares the sidecars that the control plane should serve with those that it reports. Sidecars of another mesh never connect.
func (s *scope) connection(proxies *health.Proxies) rollout.Connection {
	c := rollout.Connection{Desired: s.situation.Desired, IsConnected: func(uid string) bool { return proxies.UIDs[uid] }}
	for _, w := range s.situation.Workloads {
		for _, sidecar := range w.Running {
			if desired.IsRevisionOf(s.mesh.Name, sidecar.Revision) && (!s.isCanaryOnly() || sidecar.Revision == s.situation.Desired) {
				c.Expected = append(c.Expected, sidecar)
			}
		}
	}
	return c
}

// measureBaseline notes how the version that runs is doing, before another takes over. It reports whether that is done, or not needed.
func (r *Reconciler) measureBaseline(ctx context.Context, s *scope) (bool, error) {
	switch {
	case !s.isUpgrading() || s.isActing() || s.situation.Active == "" || s.plan.Phase == rollout.Halted:
		return true, nil
	case s.current == nil:
		// The revision comes first: what is noted is noted there.
		return false, nil
	case s.situation.Rejected(), s.current.Status.Baseline != nil && s.current.Status.Rejected == nil:
		return true, nil
	}
	active := &v1alpha1.MeshRevision{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: s.situation.Active}, active); err != nil {
		return false, fmt.Errorf("the MeshRevision %s, which runs the mesh, cannot be read: %w", s.situation.Active, err)
	}
	reading, err := r.Health.Read(ctx, r.healthTarget(ctx, active))
	if err != nil {
		return false, err
	}
	baseline := &v1alpha1.RevisionBaseline{From: active.Spec.Version, Time: metav1.NewTime(r.Now())}
	if reading.Proxies != nil {
		list := reading.Proxies.RejectingWorkloads()
		baseline.Rejecting = list[:min(len(list), maxBaselineNames)]
		disconnected := s.connection(reading.Proxies).Disconnected()
		baseline.Disconnected = disconnected[:min(len(disconnected), maxBaselineNames)]
	}
	waiting := reading.Proxies == nil || reading.Flows == nil
	if waiting && r.Now().Sub(s.current.CreationTimestamp.Time) < baselineTimeout {
		return false, nil
	}
	if reading.Flows != nil {
		baseline.ErrorRate = string(v1alpha1.NewPercentage(rollout.ErrorRate(reading.Flows)))
	}
	return true, r.recordOnRevision(ctx, s.current, func(status *v1alpha1.MeshRevisionStatus) { status.Baseline, status.Rejected = baseline, nil })
}

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
	return s.latest(since, func(w rollout.Workload) time.Time { return w.ChangedAt(s.situation.Desired, s.situation.Limits) })
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
	return s.latest(since, func(w rollout.Workload) time.Time {
		if s.isRestartedByHand(w) {
			return w.ReadySince
		}
		return w.ReadyFor(s.situation.Desired, s.situation.Limits)
	})
}

// latest is the latest of a moment and those of the workloads that were restarted, or upgraded in place, for the desired revision.
func (s *scope) latest(moment time.Time, of func(rollout.Workload) time.Time) time.Time {
	moments := []time.Time{moment}
	for _, w := range s.situation.Workloads {
		if !w.ChangedAt(s.situation.Desired, s.situation.Limits).IsZero() || s.isRestartedByHand(w) {
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
