package upgrade

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

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

// maxBaselineNames bounds the workloads that a baseline lists, and the pods whose restarts are stored.
const maxBaselineNames = 256

// isUpgrading is true when there is a version to come from and one to go to that has not been verified.
func (p *pass) isUpgrading() bool {
	good, verified := false, false
	for _, revision := range p.situation.Revisions {
		if revision.Name == p.situation.Desired {
			verified = !revision.Verified.IsZero()
		} else {
			good = good || !revision.Verified.IsZero()
		}
	}
	return good && !verified
}

// isActing is true when the desired revision runs anything.
func (p *pass) isActing() bool {
	return p.situation.Desired == p.situation.Active || p.situation.Desired == p.situation.Canary
}

// evaluateGates evaluates the gates of the desired revision.
func (r *Reconciler) evaluateGates(ctx context.Context, p *pass) error {
	if p.current == nil || !p.isActing() {
		return nil
	}
	if err := r.resume(ctx, p); err != nil {
		return err
	}
	reading, err := r.Health.Read(ctx, r.healthTarget(ctx, p.current))
	if err != nil {
		return err
	}
	if p.situation.Desired == p.situation.Active {
		p.setRoles(reading)
	}
	if err := r.recordRestarts(ctx, p, reading.Restarts); err != nil {
		return err
	}
	p.situation.Verdicts = rollout.Evaluate(r.addPrometheus(ctx, p, observation(p, reading)), desired.Bounds(p.mesh))
	if err := r.recordHealth(ctx, p); err != nil {
		return err
	}
	return r.recordObservation(ctx, p)
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
func observation(p *pass, reading health.Observation) rollout.Observation {
	status, restarts := p.current.Status, restartsInStep(p.current, reading.Restarts)
	o := rollout.Observation{
		Now: p.situation.Now, UnhealthySince: p.unhealthySince(), HealthySince: p.healthySince(),
		Controller: replicas(status.Controller), Injector: replicas(status.Injector), Earlier: reading.Earlier,
		Restarts: &restarts, CertificatesUntil: reading.CertificatesUntil, Flows: reading.Flows,
		Revision: p.situation.Desired, Handovers: rollout.CountHandovers(p.situation.Workloads, p.situation.Desired, p.situation.Limits, p.situation.Now),
	}
	if p.situation.ReadySince.IsZero() {
		// What the status counts may still be about another role, or another generation.
		o.Controller.Ready, o.Injector.Ready = 0, 0
	}
	if reading.Proxies != nil {
		baseline := ptr.Deref(status.Baseline, v1alpha1.RevisionBaseline{})
		connection := p.connection(reading.Proxies)
		connection.Before, connection.PodsBefore = disconnectedBefore(baseline), baseline.Disconnected
		o.Proxies = &rollout.Proxies{Connected: connection.Census(), Accepted: reading.Proxies.Accepted(baseline.Rejecting)}
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
func (p *pass) connection(proxies *health.Proxies) rollout.Connection {
	c := rollout.Connection{Desired: p.situation.Desired, IsConnected: func(uid string) bool { return proxies.UIDs[uid] }}
	for _, w := range p.situation.Workloads {
		for _, sidecar := range w.Running {
			if desired.IsRevisionOf(p.mesh.Name, sidecar.Revision) && (!p.isCanaryOnly() || sidecar.Revision == p.situation.Desired) {
				c.Expected = append(c.Expected, sidecar)
			}
		}
	}
	return c
}

// measureBaseline notes how the version that runs is doing, before another takes over. It reports whether that is done, or not needed.
func (r *Reconciler) measureBaseline(ctx context.Context, p *pass) (bool, error) {
	switch {
	case !p.isUpgrading() || p.isActing() || p.situation.Active == "" || p.plan.Phase == rollout.Halted:
		return true, nil
	case p.current == nil:
		// The revision comes first: what is noted is noted there.
		return false, nil
	case p.situation.Rejected(), p.current.Status.Baseline != nil && p.current.Status.Rejected == nil:
		return true, nil
	}
	active, err := r.readActive(ctx, p.situation.Active)
	if err != nil {
		return false, err
	}
	reading, err := r.Health.Read(ctx, r.healthTarget(ctx, active))
	if err != nil {
		return false, err
	}
	baseline := &v1alpha1.RevisionBaseline{
		From: active.Spec.Version, Revision: active.Name, Sidecar: active.Spec.Sidecar, Time: metav1.NewTime(r.Now()),
	}
	if reading.Proxies != nil {
		list := reading.Proxies.RejectingWorkloads()
		baseline.Rejecting = list[:min(len(list), maxBaselineNames)]
		baseline.DisconnectedWorkloads = disconnectedNow(p.connection(reading.Proxies).Disconnected())
	}
	waiting := reading.Proxies == nil || reading.Flows == nil
	if waiting && r.Now().Sub(p.current.CreationTimestamp.Time) < baselineTimeout {
		return false, nil
	}
	if reading.Flows != nil {
		baseline.ErrorRate = string(v1alpha1.NewPercentage(rollout.ErrorRate(reading.Flows)))
	}
	return true, r.recordOnRevision(ctx, p.current, func(status *v1alpha1.MeshRevisionStatus) { status.Baseline, status.Rejected = baseline, nil })
}

// disconnectedNow lists workloads with sidecars that are not connected. If there are too many, the ones with most of them are listed.
func disconnectedNow(counts map[string]int) []v1alpha1.DisconnectedWorkload {
	var list []v1alpha1.DisconnectedWorkload
	for _, workload := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, v1alpha1.DisconnectedWorkload{Workload: workload, Sidecars: int32(counts[workload])})
	}
	slices.SortStableFunc(list, func(a, b v1alpha1.DisconnectedWorkload) int { return cmp.Compare(b.Sidecars, a.Sidecars) })
	list = list[:min(len(list), maxBaselineNames)]
	slices.SortFunc(list, func(a, b v1alpha1.DisconnectedWorkload) int { return cmp.Compare(a.Workload, b.Workload) })
	return list
}

// disconnectedBefore counts the sidecars that were not connected when the upgrade began, by workload.
func disconnectedBefore(baseline v1alpha1.RevisionBaseline) map[string]int {
	counts := map[string]int{}
	for _, w := range baseline.DisconnectedWorkloads {
		counts[w.Workload] = int(w.Sidecars)
	}
	return counts
}

// stepStart is when the present step began: when the revision took its role, when a workload was restarted for it last, or when gates were
// evaluated again after a time in which nobody could.
func (p *pass) stepStart() time.Time {
	since := p.current.CreationTimestamp.Time
	if p.current.Status.RoleStartTime != nil {
		since = p.current.Status.RoleStartTime.Time
	}
	if resumed := p.current.Status.ResumedTime; resumed != nil && resumed.After(since) {
		since = resumed.Time
	}
	return p.latest(since, func(w rollout.Workload) time.Time { return w.ChangedAt(p.situation.Desired, p.situation.Limits) })
}

const (
	// observationPrecision is how often the time of the last evaluation is stored.
	observationPrecision = 20 * time.Second
	// maxObservationGap is how long gates may go without an evaluation. Load reports are forgotten after a minute without readers.
	maxObservationGap = time.Minute
)

// resume starts the step anew if nobody could evaluate its gates for a while, because the mesh was paused, or the operator or the API server
// was away. Neither the timeout nor the soak counts such a time.
func (r *Reconciler) resume(ctx context.Context, p *pass) error {
	last := p.stepStart()
	if observed := p.current.Status.ObservedTime; observed != nil && observed.After(last) {
		last = observed.Time
	}
	now := metav1.NewTime(r.Now().Truncate(time.Second))
	if now.Sub(last) <= maxObservationGap {
		return nil
	}
	return r.recordOnRevision(ctx, p.current, func(status *v1alpha1.MeshRevisionStatus) {
		status.ResumedTime, status.ObservedTime, status.UnhealthyTime = &now, &now, nil
	})
}

// recordUnread stores since when workloads cannot be read. The upgrade waits for them, also if the operator is restarted meanwhile.
func (r *Reconciler) recordUnread(ctx context.Context, p *pass) error {
	if p.current == nil {
		return nil
	}
	isUnread := slices.ContainsFunc(p.situation.Workloads, func(w rollout.Workload) bool { return w.Unread != "" })
	since := p.current.Status.UnreadTime
	switch {
	case isUnread && since != nil:
		p.situation.Limits.UnreadSince = since.Time
	case isUnread != (since != nil):
		now := metav1.NewTime(r.Now().Truncate(time.Second))
		return r.recordOnRevision(ctx, p.current, func(status *v1alpha1.MeshRevisionStatus) {
			status.UnreadTime = nil
			if isUnread {
				status.UnreadTime = &now
			}
		})
	}
	return nil
}

// recordObservation stores when the gates were evaluated.
func (r *Reconciler) recordObservation(ctx context.Context, p *pass) error {
	now := metav1.NewTime(r.Now().Truncate(time.Second))
	if observed := p.current.Status.ObservedTime; observed != nil && now.Sub(observed.Time) < observationPrecision {
		return nil
	}
	return r.recordOnRevision(ctx, p.current, func(status *v1alpha1.MeshRevisionStatus) { status.ObservedTime = &now })
}

// healthySince is since when everything is well that gates ask for; zero as long as that was not seen in the present step. That pods are
// ready is not enough: what is wrong with a version shows once sidecars have connected to it.
func (p *pass) healthySince() time.Time {
	noted := p.current.Status.HealthyTime
	if p.situation.ReadySince.IsZero() || !p.isInStep(noted) {
		return time.Time{}
	}
	since := noted.Time
	if p.situation.ReadySince.After(since) {
		since = p.situation.ReadySince
	}
	return p.latest(since, func(w rollout.Workload) time.Time {
		if p.isRestartedByHand(w) {
			return w.ReadySince
		}
		return w.ReadyFor(p.situation.Desired, p.situation.Limits)
	})
}

// latest is the latest of a moment and those of the workloads that were restarted, or upgraded in place, for the desired revision.
func (p *pass) latest(moment time.Time, of func(rollout.Workload) time.Time) time.Time {
	moments := []time.Time{moment}
	for _, w := range p.situation.Workloads {
		if !w.ChangedAt(p.situation.Desired, p.situation.Limits).IsZero() || p.isRestartedByHand(w) {
			moments = append(moments, of(w))
		}
	}
	return slices.MaxFunc(moments, time.Time.Compare)
}

// isInStep is true when something was noted in the present step.
func (p *pass) isInStep(noted *metav1.Time) bool { return noted != nil && noted.After(p.stepStart()) }

// unhealthySince is since when not everything is well. A step has its timeout to become well first. Afterwards, while it soaks, pods of the
// control plane may be moved and sidecars may connect again: each time there is the timeout anew.
func (p *pass) unhealthySince() time.Time {
	status := p.current.Status
	switch {
	case !p.isInStep(status.HealthyTime):
		return p.stepStart()
	case p.isInStep(status.UnhealthyTime):
		return status.UnhealthyTime.Time
	}
	return p.situation.Now
}

// recordHealth writes down when everything was well first in the present step, and since when it is not any more.
func (r *Reconciler) recordHealth(ctx context.Context, p *pass) error {
	now := metav1.NewTime(r.Now().Truncate(time.Second))
	well, status := rollout.PassedExceptSoak(p.situation.Verdicts), p.current.Status
	was, ill := p.isInStep(status.HealthyTime), p.isInStep(status.UnhealthyTime)
	switch {
	case well && (!was || ill):
		return r.recordOnRevision(ctx, p.current, func(status *v1alpha1.MeshRevisionStatus) {
			if !was {
				status.HealthyTime = &now
			}
			status.UnhealthyTime = nil
		})
	case !well && was && !ill:
		return r.recordOnRevision(ctx, p.current, func(status *v1alpha1.MeshRevisionStatus) { status.UnhealthyTime = &now })
	}
	return nil
}

// recordRestarts stores the container restarts of the control plane from before the current step, once for each step. Nodes restart pods now
// and then, and an upgrade can last for days. The restarts of a pod that was created in the step all belong to the step.
func (r *Reconciler) recordRestarts(ctx context.Context, p *pass, restarts []health.PodRestarts) error {
	start := metav1.NewTime(p.stepStart().Truncate(time.Second))
	if stored := p.current.Status.Restarts; stored != nil && stored.StepTime.Equal(&start) {
		return nil
	}
	before := &v1alpha1.StepRestarts{StepTime: start}
	for _, pod := range restarts {
		if pod.Created.Before(start.Time) && len(before.Pods) < maxBaselineNames {
			before.Pods = append(before.Pods, v1alpha1.PodRestarts{UID: pod.UID, Count: int32(pod.Count)})
		}
	}
	return r.recordOnRevision(ctx, p.current, func(status *v1alpha1.MeshRevisionStatus) { status.Restarts = before })
}

// restartsInStep counts the container restarts since the step began.
func restartsInStep(revision *v1alpha1.MeshRevision, restarts []health.PodRestarts) int {
	before := map[string]int{}
	for _, pod := range ptr.Deref(revision.Status.Restarts, v1alpha1.StepRestarts{}).Pods {
		before[pod.UID] = int(pod.Count)
	}
	n := 0
	for _, pod := range restarts {
		n += max(pod.Count-before[pod.UID], 0)
	}
	return n
}
