package mesh

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/condition"
	"github.com/openservicemesh/osm-operator/controllers/operator/dataplane"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// tellUpgrade writes what is known of sidecars and of the upgrade into the status. Without a plan nothing was observed, and what was
// written before stays.
func (r *Reconciler) tellUpgrade(s *scope) {
	if s.plan.Phase == "" {
		return
	}
	status := &s.mesh.Status
	status.Proxies = countProxies(s)
	before := status.Upgrade
	status.Upgrade = nil
	if s.plan.Phase != rollout.Settled {
		status.Upgrade = &v1alpha1.UpgradeStatus{
			From: s.from(), To: s.wanted.Version, Phase: string(s.plan.Phase), Since: metav1.NewTime(r.Now()), Message: s.progress(),
		}
		if before != nil && before.Phase == status.Upgrade.Phase && before.To == status.Upgrade.To {
			status.Upgrade.Since = before.Since
		}
	}
	r.remember(s)
}

// remember adds an upgrade that has ended to the history. That it has ended, and when, the revision says: an operator that is killed
// in between forgets nothing.
func (r *Reconciler) remember(s *scope) {
	if s.current == nil {
		return
	}
	entry := v1alpha1.HistoryEntry{Version: s.wanted.Version, From: s.from()}
	switch status := s.current.Status; {
	case status.VerifiedAt != nil:
		entry.Result, entry.Ended = v1alpha1.ResultSucceeded, *status.VerifiedAt
	case s.plan.Phase == rollout.RolledBack && status.Rejected != nil:
		entry.Result, entry.Ended, entry.Reason = v1alpha1.ResultRolledBack, status.Rejected.At, status.Rejected.Reason
	default:
		return
	}
	known := func(e v1alpha1.HistoryEntry) bool { return e.Version == entry.Version && e.Ended.Equal(&entry.Ended) }
	if slices.ContainsFunc(s.mesh.Status.History, known) {
		return
	}
	history := append([]v1alpha1.HistoryEntry{entry}, s.mesh.Status.History...)
	s.mesh.Status.History = history[:min(len(history), v1alpha1.MaxHistory)]
}

// from is the version that the mesh comes from.
func (s *scope) from() string {
	switch {
	case s.current != nil && s.current.Status.Baseline != nil:
		return s.current.Status.Baseline.From
	case s.baseRevision != nil && s.baseRevision.Spec.Version != s.wanted.Version:
		return s.baseRevision.Spec.Version
	}
	return ""
}

// progress is what an upgrade waits for, and what it does about workloads.
func (s *scope) progress() string {
	var sentences []string
	for _, sentence := range []string{s.plan.Waiting, told(s.plan.Wave)} {
		if sentence != "" {
			sentences = append(sentences, sentence)
		}
	}
	return strings.Join(sentences, "; ")
}

// countProxies counts the sidecars of the mesh. Only those of settled workloads are certainly ready.
func countProxies(s *scope) *v1alpha1.ProxyCounts {
	byRevision, outdated := dataplane.Count(s.situation.Workloads, s.target)
	counts := &v1alpha1.ProxyCounts{Outdated: int32(outdated)}
	for _, w := range s.situation.Workloads {
		if w.Settled {
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

// upgradeVerdict is how an upgrade weighs on whether the mesh is ready. A mesh that is being installed is judged by its parts.
func upgradeVerdict(s *scope) condition.Verdict {
	u := s.mesh.Status.Upgrade
	if u == nil || s.plan.Phase == rollout.Installing {
		return condition.Verdict{State: condition.Ready}
	}
	way := fmt.Sprintf("from version %s to %s, %s", u.From, u.To, u.Phase)
	switch s.plan.Phase {
	case rollout.RolledBack:
		return condition.Verdict{State: condition.Stalled, Reason: v1alpha1.ReasonRolledBack, Message: fmt.Sprintf(
			"version %s was given up and the last good one runs; change the spec to try again: %s", u.To, u.Message)}
	case rollout.Halted:
		return condition.Verdict{State: condition.Stalled, Reason: v1alpha1.ReasonUpgradeHalted, Message: way + ": " + u.Message}
	case rollout.RollingBack:
		return condition.Verdict{State: condition.Working, Reason: v1alpha1.ReasonRollingBack, Message: fmt.Sprintf("returning from version %s: %s", u.To, u.Message)}
	}
	return condition.Verdict{State: condition.Working, Reason: v1alpha1.ReasonUpgrading, Message: way + ": " + u.Message}
}

// some lists the first workloads of a list, with the reason when there is one.
func some(notes []rollout.Note) string {
	const most = 5
	var list []string
	for _, note := range notes[:min(len(notes), most)] {
		text := note.Ref.String()
		if note.Reason != "" {
			text += " (" + note.Reason + ")"
		}
		list = append(list, text)
	}
	if len(notes) > most {
		list = append(list, fmt.Sprintf("and %d more", len(notes)-most))
	}
	return strings.Join(list, ", ")
}
