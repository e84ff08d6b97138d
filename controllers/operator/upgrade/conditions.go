package upgrade

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/restart"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
)

// setConditions sets ControlPlaneReady, Upgrading, DataPlaneUpToDate and ServingOSMSidecars. A mesh that is being removed, or is
// not installed and not to be installed, has none of them.
func (r *Reconciler) setConditions(p *pass, updated *v1alpha1.MeshStatus, failed error) {
	editor := conditions.NewEditor(&updated.Conditions, p.mesh.Generation, r.Now())
	for _, kind := range status.Rollout.Conditions {
		if mode := observe.ModeOf(p.mesh); mode == observe.Remove || mode == observe.Maintain && p.active == nil {
			editor.SetOrRemove(false, kind, "", "")
			continue
		}
		switch kind {
		case v1alpha1.ConditionControlPlaneReady:
			assessment := assessControlPlane(p, failed)
			if ignored := p.session.IgnoredObjects(); ignored != "" {
				assessment.Message += "; " + ignored
			}
			editor.Set(kind, assessment)
		case v1alpha1.ConditionUpgrading:
			setUpgrading(editor, p, updated.Upgrade, failed)
		case v1alpha1.ConditionDataPlaneUpToDate:
			editor.Set(kind, assessDataPlane(p, updated.Proxies))
		case v1alpha1.ConditionServingOSMSidecars:
			p.RequeueAfter(takeover.SetBridge(p.mesh, p.bridge, updated, r.Now(), p.situation.Workloads))
		}
	}
}

// assessControlPlane is how the active control plane does. An error that a retry may cure is one of applying it.
func assessControlPlane(p *pass, failed error) conditions.Assessment {
	switch {
	case failed != nil && !observe.IsStalledError(failed):
		return conditions.Assessment{State: conditions.Failing, Reason: v1alpha1.ReasonApplyFailed, Message: failed.Error()}
	case p.applied:
		return observe.Waiting("the control plane is being applied")
	case p.active == nil && p.waiting != "":
		return observe.Waiting(p.waiting)
	}
	assessment := observe.AssessRevision(p.active)
	if p.waiting != "" {
		assessment.Message += "; " + p.waiting
	}
	return assessment
}

// setUpgrading reports whether the mesh moves to another version, or to other sidecars. It is False while the first version is installed.
func setUpgrading(editor *conditions.Editor, p *pass, upgrade *v1alpha1.UpgradeStatus, failed error) {
	state, reason, message := conditions.Failing, v1alpha1.ReasonIdle, "no upgrade is in progress"
	var stalled *observe.StalledError
	switch {
	case errors.As(failed, &stalled):
		reason, message = stalled.Reason, stalled.Message
	case observe.IsPaused(p.mesh) && upgrade != nil:
		reason, message = v1alpha1.ReasonPaused, fmt.Sprintf("the upgrade to %s is paused", desired.Destination(upgrade))
	case observe.IsPlanOnly(p.mesh) && upgrade != nil:
		reason, message = v1alpha1.ReasonPlanned, fmt.Sprintf("the upgrade to %s waits, because spec.mode is Plan", desired.Destination(upgrade))
	case p.plan.Phase == "" && observe.ModeOf(p.mesh) == observe.Apply:
		state, reason, message = conditions.Progressing, v1alpha1.ReasonProgressing, "the next step is not decided yet"
		if p.waiting != "" {
			message = p.waiting
		}
	case upgrade != nil:
		state, reason, message = assessUpgrade(p.plan, upgrade)
	}
	editor.Set(v1alpha1.ConditionUpgrading, conditions.Assessment{State: state, Reason: reason, Message: message})
}

// assessUpgrade describes an upgrade. The state is Ready, so that the condition is True, while the mesh moves.
func assessUpgrade(plan rollout.Plan, u *v1alpha1.UpgradeStatus) (conditions.State, string, string) {
	way := fmt.Sprintf("from version %s to %s, %s", u.From, desired.DestinationName(u), u.Phase)
	switch plan.Phase {
	case rollout.Installing:
		return conditions.Failing, v1alpha1.ReasonInstalling, strings.TrimSuffix(fmt.Sprintf("installing version %s: %s", u.To, u.Message), ": ")
	case rollout.RolledBack:
		return conditions.Failing, v1alpha1.ReasonRolledBack, fmt.Sprintf(
			"%s was given up and the last good one runs; it is tried again with another spec.upgrade.attempt, with other images, or after the Mesh had the values of the last good one: %s",
			desired.Destination(u), u.Message)
	case rollout.Halted:
		reason := v1alpha1.ReasonUpgradeHalted
		if plan.CanaryBlocked {
			reason = v1alpha1.ReasonCanaryBlocked
		}
		return conditions.Failing, reason, way + ": " + u.Message
	case rollout.RollingBack:
		return conditions.Ready, v1alpha1.ReasonRollingBack, fmt.Sprintf("returning from %s: %s", desired.Destination(u), u.Message)
	}
	return conditions.Ready, v1alpha1.ReasonUpgrading, way + ": " + u.Message
}

// assessDataPlane reports how many sidecars are outdated, and what is done about their workloads.
func assessDataPlane(p *pass, proxies *v1alpha1.ProxyCounts) conditions.Assessment {
	assessment := conditions.Assessment{State: conditions.Ready, Reason: v1alpha1.ReasonUpToDate, Message: "no sidecar is outdated"}
	if proxies.Outdated > 0 {
		assessment = conditions.Assessment{
			State: conditions.Failing, Reason: v1alpha1.ReasonSidecarsOutdated,
			Message: fmt.Sprintf("%d of %d sidecars are outdated", proxies.Outdated, proxies.Total),
		}
		if wave := restart.Describe(p.plan.Wave); wave != "" {
			assessment.Message += "; " + wave
		}
	}
	if denied := p.denied(); denied > 0 {
		assessment.Reason = v1alpha1.ReasonRestartsDenied
		assessment.Message = fmt.Sprintf("restarts of %d workloads were denied; %s", denied, assessment.Message)
	}
	if note := p.kubeletsNote(); note != "" {
		assessment.Message += "; " + note
	}
	for _, note := range sidecarsOfOtherInjectors(p) {
		assessment.Message += "; " + note
	}
	return assessment
}

// denied counts the workloads of the wave whose restart was denied.
func (p *pass) denied() int {
	n := 0
	if p.situation.Limits.Denied == nil {
		return n
	}
	for _, note := range p.plan.Wave.Blocked {
		if message, _ := p.situation.Limits.Denied(note.Ref, p.plan.Wave.Target); message != "" {
			n++
		}
	}
	return n
}

// sidecarsOfOtherInjectors counts the sidecars in the namespaces of the mesh that another injector has made.
func sidecarsOfOtherInjectors(p *pass) []string {
	count := map[string]int{}
	for _, w := range p.situation.Workloads {
		for revision, n := range w.Sidecars {
			if !desired.IsRevisionOf(p.mesh.Name, revision) {
				other, _ := desired.MeshOf(revision)
				count[other] += n
			}
		}
	}
	var notes []string
	for _, other := range slices.Sorted(maps.Keys(count)) {
		switch n := count[other]; {
		case n == 0:
		case other == "":
			notes = append(notes, takeover.DescribeSidecars(p.mesh, n))
		default:
			notes = append(notes, fmt.Sprintf("sidecars that the mesh %s has made, of which the namespaces were a part: %d; they belong to neither mesh until their workloads are restarted", other, n))
		}
	}
	return notes
}
