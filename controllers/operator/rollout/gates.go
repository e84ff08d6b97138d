package rollout

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// Health observes control planes.
type Health interface {
	Read(ctx context.Context, target health.Target) (health.Observation, error)
}

// baselineTimeout is how long the requests of the version before are waited for; then the gates evaluate the new one without comparison.
const baselineTimeout = time.Minute

// maxRejectingWorkloads bounds the workloads that a baseline lists.
const maxRejectingWorkloads = 256

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
	s.situation.Verdicts = rollout.Evaluate(r.addPrometheus(ctx, s, observation(s, reading)), observe.Bounds(s.mesh))
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
	status := s.current.Status
	o := rollout.Observation{
		Now: s.situation.Now, UnhealthySince: s.unhealthySince(), HealthySince: s.healthySince(),
		Controller: replicas(status.Controller), Injector: replicas(status.Injector),
		Restarts: &reading.Restarts, CertificatesUntil: reading.CertificatesUntil, Requests: reading.Requests,
	}
	if s.situation.ReadySince.IsZero() {
		// What the status counts may still be about another role, or another generation.
		o.Controller.Ready, o.Injector.Ready = 0, 0
	}
	if reading.Proxies != nil {
		var before []string
		if status.Baseline != nil {
			before = status.Baseline.Rejecting
		}
		rejected, example := reading.Proxies.RejectingExcept(before)
		o.Proxies = &rollout.Proxies{Live: s.expectedSidecars(), Connected: reading.Proxies.Connected, Rejected: rejected, Example: example}
	}
	if baseline := status.Baseline; baseline != nil && baseline.ErrorRate != "" {
		rate := observe.Share(baseline.ErrorRate)
		o.Baseline = &rate
	}
	return o
}

func replicas(status v1alpha1.WorkloadStatus) rollout.Replicas {
	return rollout.Replicas{Desired: int(status.Replicas), Ready: int(status.Ready)}
}

// expectedSidecars is how many sidecars the control plane serves: those that another mesh has made never connect to it.
func (s *scope) expectedSidecars() int {
	n := 0
	for _, w := range s.situation.Workloads {
		for revision, sidecars := range w.Sidecars {
			if desired.IsRevisionOf(s.mesh.Name, revision) && (!s.isCanaryOnly() || revision == s.situation.Desired) {
				n += sidecars - w.Starting[revision]
			}
		}
	}
	return n
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
		baseline.Rejecting = list[:min(len(list), maxRejectingWorkloads)]
	}
	if reading.Requests != nil {
		baseline.ErrorRate = observe.Percentage(reading.Requests.ErrorRate())
	} else if r.Now().Sub(s.current.CreationTimestamp.Time) < baselineTimeout {
		return false, nil
	}
	return true, r.recordOnRevision(ctx, s.current, func(status *v1alpha1.MeshRevisionStatus) { status.Baseline, status.Rejected = baseline, nil })
}
