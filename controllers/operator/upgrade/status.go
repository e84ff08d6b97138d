package upgrade

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/dataplane"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/restart"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// writeStatus writes the rollout's part of the status, whatever the steps achieved. failed is why they ended early.
func (r *Reconciler) writeStatus(ctx context.Context, p *pass, failed error) error {
	updated := p.mesh.Status.DeepCopy()
	if err := r.observeRevisions(ctx, p, updated); err != nil {
		return err
	}
	switch mode := observe.ModeOf(p.mesh); {
	case p.plan.Phase != "":
		recordAbandoned(updated, p.desired.Version, p.chosen.Name, r.Now())
		p.setUpgrade(updated, r.Now())
		recordHistory(p, updated)
	case mode == observe.Remove:
		updated.Upgrade = nil
	default:
		// Without a plan the upgrade is as it was.
	}
	if p.plan.Phase == "" {
		if err := r.observeWorkloads(ctx, p); err != nil {
			return err
		}
	}
	updated.Proxies = countProxies(p)
	r.setConditions(p, updated, failed)
	written, err := r.Status.Write(ctx, status.Rollout, p.mesh, updated)
	if err != nil || written == nil {
		return err
	}
	r.Metrics.RecordStatus(p.mesh, written, r.Now())
	status.RecordPhase(r.Recorder, p.mesh, written)
	return nil
}

// observeRevisions lists the revisions in the status, with what they are now.
func (r *Reconciler) observeRevisions(ctx context.Context, p *pass, updated *v1alpha1.MeshStatus) error {
	revisions, err := r.Revisions(ctx, p.mesh.Name)
	if err != nil {
		return err
	}
	if p.chosen.Name == "" {
		if p.chosen.Name, err = r.ChosenName(ctx, p.mesh, revisions); err != nil {
			return err
		}
	}
	p.current = observe.FindRevision(revisions, p.chosen.Name)
	if p.plan.Active == "" {
		p.active = observe.ActiveRevision(revisions)
	} else if active := observe.FindRevision(revisions, p.plan.Active); active != nil {
		p.active = active
	}
	if p.active != nil && observe.AssessRevision(p.active).State == conditions.Ready {
		updated.Version = p.active.Spec.Version
	}
	updated.Revisions = nil
	for i := range revisions {
		updated.Revisions = append(updated.Revisions, v1alpha1.RevisionSummary{
			Name: revisions[i].Name, Version: revisions[i].Spec.Version, Role: revisions[i].Spec.Role,
			Ready: observe.AssessRevision(&revisions[i]).State == conditions.Ready,
		})
	}
	slices.SortFunc(updated.Revisions, func(a, b v1alpha1.RevisionSummary) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// observeWorkloads observes the sidecars of a mesh that no plan was computed for. All sidecars of a mesh that is being removed are
// outdated.
func (r *Reconciler) observeWorkloads(ctx context.Context, p *pass) error {
	var err error
	if p.situation.Workloads, err = r.DataPlane.Workloads(ctx, p.mesh.Name); err != nil {
		return err
	}
	if p.active == nil || observe.ModeOf(p.mesh) == observe.Remove {
		return nil
	}
	p.situation.Active, p.plan.Active = p.active.Name, p.active.Name
	p.situation.Limits = desired.Limits(p.mesh)
	p.situation.Workloads = takeover.NameSidecars(p.mesh, p.situation.Workloads)
	if p.situation.Limits.Slots, err = r.SlotTargets(ctx, p.mesh, []v1alpha1.MeshRevision{*p.active}); err != nil {
		return err
	}
	p.situation.Workloads = rollout.DeclareImages(p.situation.Workloads, p.situation.Limits.Slots)
	return r.observeSlots(ctx, p)
}

// setUpgrade writes the phase of the plan.
func (p *pass) setUpgrade(updated *v1alpha1.MeshStatus, now time.Time) {
	before := updated.Upgrade
	updated.Upgrade = nil
	if p.plan.Phase == rollout.Idle {
		return
	}
	updated.Upgrade = &v1alpha1.UpgradeStatus{
		From: p.from(), To: p.desired.Version, Revision: p.chosen.Name,
		Phase: v1alpha1.UpgradePhase(p.plan.Phase), StartTime: metav1.NewTime(now), Message: p.progress(),
	}
	if before != nil && before.Phase == updated.Upgrade.Phase && before.To == updated.Upgrade.To && isOf(before, p.chosen.Name) {
		updated.Upgrade.StartTime = before.StartTime
	}
}

// isOf reports whether an upgrade is to a revision. Earlier operators recorded none.
func isOf(upgrade *v1alpha1.UpgradeStatus, revision string) bool {
	return upgrade.Revision == "" || upgrade.Revision == revision
}

// recordAbandoned adds the upgrade in the status to the history, if the desired revision changed before it ended. Otherwise no record would show that the
// version was tried.
func recordAbandoned(status *v1alpha1.MeshStatus, desired, revision string, now time.Time) {
	tried := status.Upgrade
	if tried == nil || tried.To == "" || tried.To == desired && isOf(tried, revision) || tried.Phase == v1alpha1.UpgradePhase(rollout.RolledBack) {
		return
	}
	ended := func(e v1alpha1.HistoryEntry) bool {
		return e.Version == tried.To && !e.CompletionTime.Time.Before(tried.StartTime.Time)
	}
	if slices.ContainsFunc(status.History, ended) {
		return
	}
	reason := "spec.version changed to " + desired + " before the upgrade ended"
	if tried.To == desired {
		reason = "what new pods get changed before the upgrade ended"
	}
	if tried.Message != "" {
		reason += ": " + tried.Message
	}
	addToHistory(status, v1alpha1.HistoryEntry{
		Version: tried.To, From: tried.From, Revision: tried.Revision, StartTime: &tried.StartTime, CompletionTime: metav1.NewTime(now),
		Result: v1alpha1.ResultRolledBack, Reason: reason,
	})
}

// recordHistory adds an upgrade that has ended to the history. The revision records the end, so that an operator
// that is killed in between loses nothing.
func recordHistory(p *pass, status *v1alpha1.MeshStatus) {
	if p.current == nil {
		return
	}
	start := p.current.CreationTimestamp
	if p.current.Status.Baseline != nil {
		start = p.current.Status.Baseline.Time
	}
	entry := v1alpha1.HistoryEntry{Version: p.desired.Version, From: p.from(), Revision: p.chosen.Name, StartTime: &start}
	switch revision := p.current.Status; {
	case revision.VerificationTime != nil:
		entry.Result, entry.CompletionTime, entry.Reason = v1alpha1.ResultSucceeded, *revision.VerificationTime, p.untried()
	case p.plan.Phase == rollout.RolledBack && revision.Rejected != nil:
		entry.Result, entry.CompletionTime, entry.Reason = v1alpha1.ResultRolledBack, revision.Rejected.Time, revision.Rejected.Reason
	default:
		return
	}
	known := func(e v1alpha1.HistoryEntry) bool {
		return e.Version == entry.Version && e.CompletionTime.Equal(&entry.CompletionTime)
	}
	if slices.ContainsFunc(status.History, known) {
		return
	}
	addToHistory(status, entry)
}

// untried is what the history says about a version that was verified before any sidecar had run it; empty otherwise.
func (p *pass) untried() string {
	byRevision, outdated := dataplane.CountSidecars(p.situation.Workloads, p.situation.Limits, func(string) string { return p.situation.Desired })
	total := 0
	for _, n := range byRevision {
		total += n
	}
	if total == 0 || outdated < total {
		return ""
	}
	return "no sidecar had run the version when all gates had passed, because no workload could be upgraded"
}

func addToHistory(status *v1alpha1.MeshStatus, entry v1alpha1.HistoryEntry) {
	history := append([]v1alpha1.HistoryEntry{entry}, status.History...)
	status.History = history[:min(len(history), v1alpha1.MaxHistory)]
}

// from is the version that the mesh comes from.
func (p *pass) from() string {
	switch {
	case p.current != nil && p.current.Status.Baseline != nil:
		return p.current.Status.Baseline.From
	case p.active != nil && p.active.Name != p.chosen.Name:
		return p.active.Spec.Version
	}
	return ""
}

// progress is what an upgrade waits for, and what it does about workloads.
func (p *pass) progress() string {
	sentences := []string{p.plan.Waiting, restart.Describe(p.plan.Wave)}
	return strings.Join(lists.Filter(sentences, func(sentence string) bool { return sentence != "" }), "; ")
}

// countProxies counts the sidecars of the mesh. Only those of workloads without a rollout in progress are certainly ready.
func countProxies(p *pass) *v1alpha1.ProxyCounts {
	byRevision, outdated := dataplane.CountSidecars(p.situation.Workloads, p.situation.Limits, p.target)
	takeover.UnnameSidecars(byRevision)
	counts := &v1alpha1.ProxyCounts{Outdated: int32(outdated)}
	for _, w := range p.situation.Workloads {
		if w.Ready {
			for _, n := range w.Sidecars {
				counts.Ready += int32(n)
			}
		}
	}
	for _, revision := range slices.Sorted(maps.Keys(byRevision)) {
		counts.Total += int32(byRevision[revision])
		counts.ByRevision = append(counts.ByRevision, v1alpha1.RevisionProxies{Revision: revision, Total: int32(byRevision[revision])})
	}
	return counts
}
