package mesh

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
	"github.com/openservicemesh/osm-operator/controllers/operator/vitals"
	"github.com/openservicemesh/osm-operator/internal/operand"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// DataPlane is what carries the sidecars of meshes.
type DataPlane interface {
	// Workloads are all that carry sidecars of a mesh.
	Workloads(ctx context.Context, mesh string) ([]rollout.Workload, error)
	// Leaving are all that carry sidecars of a mesh, and those that were restarted for a target and carry none any more.
	Leaving(ctx context.Context, mesh, target string) ([]rollout.Workload, error)
	// Sources are watches that tell when they change, as requests for a mesh.
	Sources() []source.Source
	// Restart makes a workload replace its pods.
	Restart(ctx context.Context, ref rollout.Ref, revision string, at time.Time) error
}

// Vitals observes control planes.
type Vitals interface {
	Read(ctx context.Context, s vitals.Subject) (vitals.Reading, error)
}

const (
	// glance is how often an upgrade is looked at: what gates judge sends no events.
	glance = 2 * time.Second
	// patience is how long the requests of the version before are waited for; then the new one is judged without comparison.
	patience = time.Minute
)

// steer observes the mesh and decides what is next on its way to the wanted version. Until the wanted revision is verified the
// gates are asked, again and again.
func (r *Reconciler) steer(ctx context.Context, s *scope) error {
	situation, err := r.situation(ctx, s)
	if err != nil {
		return err
	}
	s.situation = situation
	if err := r.checkStep(s); err != nil {
		return err
	}
	if s.upgrading() {
		s.lookAgain(glance)
		if err := r.judge(ctx, s); err != nil {
			return err
		}
	} else if s.current != nil {
		s.situation.Verdicts = rollout.Judge(observed(s, vitals.Reading{}), boundsOf(s.mesh))
	}
	s.plan = rollout.Next(s.situation)
	measured, err := r.measure(ctx, s)
	if err != nil {
		return err
	}
	if !measured {
		s.plan = rollout.Before(s.situation, "noting how many requests fail with the version that runs")
	}
	if s.plan.Wave.Again > 0 {
		s.lookAgain(s.plan.Wave.Again)
	}
	if !s.plan.Wave.Done() {
		s.lookAgain(glance)
	}
	return r.openBase(ctx, s)
}

// upgrading says whether there is a version to come from and one to go to that has not been verified.
func (s *scope) upgrading() bool {
	good, verified := false, false
	for _, revision := range s.situation.Revisions {
		if revision.Name == s.situation.Wanted {
			verified = !revision.Verified.IsZero()
		} else {
			good = good || !revision.Verified.IsZero()
		}
	}
	return good && !verified
}

// acting says whether the wanted revision runs anything.
func (s *scope) acting() bool {
	return s.situation.Wanted == s.situation.Base || s.situation.Wanted == s.situation.Beside
}

// judge asks the gates about the wanted revision.
func (r *Reconciler) judge(ctx context.Context, s *scope) error {
	if s.current == nil || !s.acting() {
		return nil
	}
	reading, err := r.Vitals.Read(ctx, s.subject(s.current))
	if err != nil {
		return err
	}
	s.situation.Verdicts = rollout.Judge(r.askPrometheus(ctx, s, observed(s, reading)), boundsOf(s.mesh))
	return r.noteHealth(ctx, s)
}

// subject is what is observed of a revision.
func (s *scope) subject(revision *v1alpha1.MeshRevision) vitals.Subject {
	return vitals.Subject{
		Suffixes:  suffixes(revision),
		Namespace: revision.Spec.Namespace, Version: revision.Spec.Version, TrustDomain: revision.Spec.TrustDomain, Roots: s.root.CertPEM(),
	}
}

// observed puts together what the gates judge.
func observed(s *scope, reading vitals.Reading) rollout.Observation {
	status := s.current.Status
	o := rollout.Observation{
		Now: s.situation.Now, UnwellSince: s.unwellSince(), WellSince: s.wellSince(),
		Controller: replicas(status.Controller), Injector: replicas(status.Injector),
		Restarts: &reading.Restarts, CertificatesUntil: reading.CertificatesUntil, Requests: reading.Requests,
	}
	if s.situation.Since.IsZero() {
		// What the status counts may still be about another role, or another generation.
		o.Controller.Ready, o.Injector.Ready = 0, 0
	}
	if reading.Proxies != nil {
		o.Proxies = &rollout.Proxies{
			Live: s.expected(), Connected: reading.Proxies.Connected, Rejected: reading.Proxies.Rejecting, Example: reading.Proxies.Example,
		}
	}
	if baseline := status.Baseline; baseline != nil && baseline.ErrorRate != "" {
		rate := share(baseline.ErrorRate)
		o.Baseline = &rate
	}
	// Only who goes back may do without: a new version that cannot tell is not well.
	if baseline := status.Baseline; baseline != nil && reading.Mute {
		o.Mute = operand.Compare(s.current.Spec.Version, baseline.From) < 0
	}
	return o
}

func replicas(status v1alpha1.WorkloadStatus) rollout.Replicas {
	return rollout.Replicas{Wanted: int(status.Replicas), Ready: int(status.Ready)}
}

// expected is how many sidecars the control plane serves: those that another mesh has made never connect to it.
func (s *scope) expected() int {
	n := 0
	for _, w := range s.situation.Workloads {
		for revision, sidecars := range w.Sidecars {
			if desired.IsRevisionOf(s.mesh.Name, revision) && (!s.trying() || revision == s.situation.Wanted) {
				n += sidecars - w.Starting[revision]
			}
		}
	}
	return n
}
