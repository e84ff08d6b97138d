package rollout

import (
	"cmp"
	"slices"
	"time"
)

// NextPlan computes the plan for the current situation. It advances only when every gate has passed. It never retires the revision to roll
// back to before the desired revision is verified. The control plane of a canary is removed only after its webhook has been removed,
// because a pod cannot start while its webhook has no injector.
func NextPlan(s Situation) Plan { return s.keepInjectingCanary(s.next()) }

// WaitingPlan is the plan while a precondition of the upgrade is not met, such as a recorded baseline. It keeps the active revision.
func WaitingPlan(s Situation, waiting string) Plan {
	p := Plan{Phase: ControlPlane, Active: s.Active, Waiting: waiting}
	if s.Strategy == Canary {
		p.Phase = CanaryControlPlane
	}
	return s.keepInjectingCanary(p)
}

// keepInjectingCanary keeps the control plane of a canary until its webhook is observed to be removed.
func (s Situation) keepInjectingCanary(p Plan) Plan {
	if s.CanaryInjector != "" && s.CanaryInjector == s.Canary && p.CanaryInjector != s.CanaryInjector && p.Canary != s.Canary {
		p.Canary = s.Canary
		p.Retire = slices.DeleteFunc(p.Retire, func(name string) bool { return name == p.Canary })
	}
	return p
}

func (s Situation) next() Plan {
	desired := s.revision(s.Desired)
	switch {
	case desired.Rejected != "":
		return s.planRollback(desired)
	case !desired.Verified.IsZero():
		return s.planIdle()
	case s.lastGood() == "":
		return s.planInstall()
	case Worst(s.Verdicts) == Failed:
		return s.planFailure(desired)
	case s.Strategy == Canary && s.Active != s.Desired:
		return s.planCanary(desired)
	case s.Canary == s.Desired:
		return s.planPromotion(desired)
	}
	return s.planReplacement(desired)
}

// planInstall starts the first revision. The revision is verified as soon as it runs, because there is no earlier revision to compare with
// or to roll back to.
func (s Situation) planInstall() Plan {
	p := Plan{Phase: Installing, Active: s.Desired, Waiting: Explain(s.Verdicts, Waiting)}
	ready := slices.ContainsFunc(s.Verdicts, func(v Verdict) bool { return v.Gate == "ReplicasReady" && v.State == Passed })
	if ready && s.Active == s.Desired {
		p.Phase, p.Verify, p.Waiting = Idle, true, ""
	}
	return p
}

// planReplacement updates the mesh's own Deployments, then restarts the workloads.
func (s Situation) planReplacement(desired Revision) Plan {
	p := Plan{Phase: ControlPlane, Active: s.Desired}
	if s.Active != s.Desired || !desired.Serving || s.CanaryInjector != "" {
		p.Waiting = Explain(s.Verdicts, Waiting)
		return p
	}
	// A canary restarts the workloads of its namespaces before the mesh's own Deployments are updated, so these do not count.
	if s.hasRestarted(func(w Workload) bool { return s.Strategy != Canary || !s.isInCanary(w) }) {
		p.Phase = Workloads
	}
	if !s.canRestart() {
		p.Waiting = Explain(s.Verdicts, Waiting)
		return p
	}
	limits := s.Limits
	limits.RestartIdle, limits.AwaitLast = true, true
	p.Phase = Workloads
	p.Wave = NextWave(s.Workloads, s.Desired, limits, s.Now)
	undecided := CountHandovers(s.Workloads, s.Desired, limits, s.Now).isUndecided()
	if p.Wave.Done() && Worst(s.Verdicts) == Passed && !undecided {
		p.Phase, p.Verify = Idle, true
	}
	return p
}

// canRestart reports whether workloads may be restarted now, that is, every gate has passed. Between waves the soak gate does not apply;
// the pause of the limits does. Waves begin when the control plane becomes ready.
func (s Situation) canRestart() bool {
	betweenWaves := !s.ReadySince.IsZero() && s.hasRestartedAfter(s.ReadySince)
	return Worst(s.Verdicts) == Passed || betweenWaves && PassedExceptSoak(s.Verdicts)
}

// planFailure rejects the desired revision and rolls back, or halts when rollback is not automatic.
func (s Situation) planFailure(desired Revision) Plan {
	reason := Explain(s.Verdicts, Failed)
	if !s.AutomaticRollback {
		p := Plan{Phase: Halted, Active: s.Active, CanaryInjector: s.currentCanaryInjector(desired), Waiting: reason}
		if s.Canary == s.Desired {
			p.Canary = s.Desired
		}
		return p
	}
	desired.Rejected = reason
	p := s.planRollback(desired)
	p.Reject = reason
	return p
}

// planRollback returns to the last good revision. The control plane comes first. Then it restarts the workloads with a sidecar of the
// rejected revision. The Deployments of a canary are removed before these restarts: the alias Service of the canary leads its sidecars to
// the mesh's own control plane.
func (s Situation) planRollback(desired Revision) Plan {
	good := s.lastGood()
	if good == "" {
		return Plan{Phase: Halted, Active: s.Desired, Waiting: desired.Rejected + "; there is no earlier revision to roll back to"}
	}
	p := Plan{Phase: RollingBack, Active: good, Waiting: desired.Rejected}
	// While the injector of the canary serves namespaces, restarted pods would get its sidecars again.
	if s.Active != good || !s.revision(good).Serving || s.Canary != "" || s.CanaryInjector != "" {
		return p
	}
	limits := s.Limits
	limits.Manual, limits.RejectedRevision, limits.Align, limits.RestartIdle = false, s.Desired, true, true
	limits.Stages = nil // all go back at the same time
	limits.Include = func(w Workload) bool {
		return w.Sidecars[s.Desired] > 0 || w.Restart.Revision == good || !w.ChangedAt(s.Desired, s.Limits).IsZero()
	}
	p.Wave = NextWave(s.Workloads, good, limits, s.Now)
	if p.Wave.Done() {
		p.Phase = RolledBack
	}
	return p
}

// keepEarlier is how long an earlier revision is kept at most for workloads that could not be upgraded with the others.
const keepEarlier = 7 * 24 * time.Hour

// IsFinishing reports whether workloads remain that could not be upgraded with the others, and the earlier revision is kept for them. Gates apply as before.
func (s Situation) IsFinishing() bool {
	verified := s.revision(s.Desired).Verified
	return !verified.IsZero() && s.Active == s.Desired && s.lastGood() != "" && s.Now.Sub(verified) < keepEarlier &&
		NextWave(s.Workloads, s.Desired, s.Limits, s.Now).remains()
}

// remains reports whether the operator may still upgrade workloads.
func (w Wave) remains() bool { return !w.Done() || len(w.Blocked) > 0 }

// planIdle keeps the desired revision, restarts workloads that could not be restarted before, and retires all other revisions, unless it is finishing. Their
// sidecars are served by the desired revision.
func (s Situation) planIdle() Plan {
	p := Plan{Phase: Idle, Active: s.Desired}
	finishing := s.IsFinishing()
	if s.Active == s.Desired && s.revision(s.Desired).Serving && s.CanaryInjector == "" {
		limits := s.Limits
		limits.Align = true
		if finishing && !PassedExceptSoak(s.Verdicts) {
			limits.Halted = "no further workload is upgraded before all gates pass: " + cmp.Or(Explain(s.Verdicts, Failed), Explain(s.Verdicts, Waiting))
		}
		// No gate holds up what is done about an idle mesh. Some failures do not show that an image is broken, if it serves more pods.
		t := CountHandovers(s.Workloads, s.Desired, limits, s.Now)
		if failed := t.Failed(); len(failed) > 0 && len(failed) >= t.Done {
			limits.Stopped = "no further sidecar is upgraded in place, because of another one: " + failed[0]
		}
		p.Wave = NextWave(s.Workloads, s.Desired, limits, s.Now)
	}
	for _, r := range s.Revisions {
		if r.Name != s.Desired && s.Active == s.Desired && (!finishing || r.Name != s.lastGood()) {
			p.Retire = append(p.Retire, r.Name)
		}
	}
	slices.Sort(p.Retire)
	return p
}

// planCanary runs the desired revision as a canary next to the last good revision, moves the canary namespaces to it, and then promotes it.
// All other namespaces stay on the last good revision until the promotion.
func (s Situation) planCanary(desired Revision) Plan {
	good := s.lastGood()
	if s.CanaryUnsupported != "" || len(s.CanaryNamespaces) == 0 {
		return s.haltCanary(good)
	}
	p := Plan{Phase: CanaryControlPlane, Active: good, Canary: s.Desired, CanaryInjector: s.currentCanaryInjector(desired)}
	if s.CanaryInjector == s.Desired || s.hasRestarted(s.isInCanary) {
		p.Phase = CanaryWorkloads
	}
	p.Waiting = Explain(s.Verdicts, Waiting)
	if s.Active != good || s.Canary != s.Desired || !desired.Serving || !s.canRestart() {
		return p
	}
	p.Phase, p.CanaryInjector = CanaryWorkloads, s.Desired
	if s.CanaryInjector != s.Desired {
		p.Waiting = "the injector of the canary does not serve the canary namespaces yet"
		return p
	}
	limits := s.Limits
	limits.Include, limits.AwaitLast = s.isInCanary, true
	// A pod keeps the control plane that it started with, so only a new one is connected to the canary.
	limits.InPlace, limits.Slots = false, nil
	p.Wave = NextWave(s.Workloads, s.Desired, limits, s.Now)
	switch {
	case !p.Wave.Done() || Worst(s.Verdicts) != Passed:
	case !s.hasCanarySidecar():
		p.Waiting = "no sidecar of the canary runs in the canary namespaces yet: the canary is promoted only after it has served a sidecar"
	default:
		p.Phase, p.Active, p.Waiting = ControlPlane, s.Desired, ""
	}
	return p
}

// haltCanary changes nothing and explains why the canary cannot continue. It removes the webhook of a canary without namespaces.
func (s Situation) haltCanary(good string) Plan {
	p := Plan{Phase: Halted, Active: cmp.Or(s.Active, good), Waiting: s.CanaryUnsupported, CanaryBlocked: true}
	if s.Canary == s.Desired && s.CanaryUnsupported == "" {
		p.Canary = s.Desired
	}
	if s.CanaryUnsupported == "" {
		p.Waiting = "no namespace of the mesh matches spec.upgrade.strategy.canary.namespaceSelector: add the labels of the selector to a namespace, or change the selector"
	}
	return p
}

// planPromotion makes the canary revision run the mesh's own Deployments as well. The Deployments of the canary stay until the mesh's own
// are serving, because the canary namespaces depend on them.
func (s Situation) planPromotion(desired Revision) Plan {
	p := Plan{Phase: ControlPlane, Active: s.Desired}
	if s.Active != s.Desired || !desired.Serving || !PassedExceptSoak(s.Verdicts) {
		p.Canary, p.CanaryInjector, p.Waiting = s.Desired, s.currentCanaryInjector(desired), Explain(s.Verdicts, Waiting)
	}
	return p
}

// currentCanaryInjector keeps the canary namespaces with the injector of the canary while that injector is available. With an unavailable
// injector no pod in these namespaces could start.
func (s Situation) currentCanaryInjector(desired Revision) string {
	if s.CanaryInjector != s.Desired || s.Canary != s.Desired || !desired.InjectorReady || len(s.CanaryNamespaces) == 0 {
		return ""
	}
	return s.Desired
}

// isInCanary reports whether a workload is in a canary namespace.
func (s Situation) isInCanary(w Workload) bool {
	return slices.Contains(s.CanaryNamespaces, w.Ref.Namespace)
}

// hasCanarySidecar reports whether a sidecar of the desired revision runs in a canary namespace.
func (s Situation) hasCanarySidecar() bool {
	return slices.ContainsFunc(s.Workloads, func(w Workload) bool { return s.isInCanary(w) && w.Sidecars[s.Desired] > 0 })
}
