package rollout

import (
	"cmp"
	"slices"
)

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
	limits.Include = s.isInCanary
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
	p := Plan{Phase: Halted, Active: cmp.Or(s.Active, good), Waiting: s.CanaryUnsupported}
	if s.Canary == s.Desired && s.CanaryUnsupported == "" {
		p.Canary = s.Desired
	}
	if s.CanaryUnsupported == "" {
		p.Waiting = "no namespace of the mesh matches spec.upgrade.strategy.canary.namespaces: add the labels of the selector to a namespace, or change the selector"
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
