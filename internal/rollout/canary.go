package rollout

import (
	"cmp"
	"slices"
)

// canary brings the wanted revision up beside the last good one, moves the chosen namespaces to it, and then lets it take over. Until
// then all other namespaces stay as they are.
func (s Situation) canary(wanted Revision) Plan {
	good := s.lastGood()
	if s.Refused != "" || len(s.Chosen) == 0 {
		return s.refuse(good)
	}
	p := Plan{Phase: CanaryControlPlane, Base: good, Beside: s.Wanted, Injects: s.injecting(wanted)}
	if s.Injects == s.Wanted || s.begun(s.first) {
		p.Phase = CanaryWorkloads
	}
	p.Waiting = Explain(s.Verdicts, Waiting)
	if s.Base != good || s.Beside != s.Wanted || !wanted.Serving || !s.mayMove() {
		return p
	}
	p.Phase, p.Injects = CanaryWorkloads, s.Wanted
	if s.Injects != s.Wanted {
		p.Waiting = "the injector of the canary takes the chosen namespaces over"
		return p
	}
	limits := s.Limits
	limits.Only = s.first
	p.Wave = NextWave(s.Workloads, s.Wanted, limits, s.Now)
	switch {
	case !p.Wave.Done() || Worst(s.Verdicts) != Passed:
	case !s.tried():
		p.Waiting = "no sidecar of the canary runs in the chosen namespaces yet: it takes over only after it was tried"
	default:
		p.Phase, p.Base, p.Waiting = ControlPlane, s.Wanted, ""
	}
	return p
}

// refuse keeps things as they are and says why no canary can go on. Without a namespace, the webhook of one would be for nobody.
func (s Situation) refuse(good string) Plan {
	p := Plan{Phase: Halted, Base: cmp.Or(s.Base, good), Waiting: s.Refused}
	if s.Beside == s.Wanted && s.Refused == "" {
		p.Beside = s.Wanted
	}
	if s.Refused == "" {
		p.Waiting = "no namespace of the mesh matches spec.upgrade.canary.namespaces: give one of them the labels that it selects, or select others"
	}
	return p
}

// promote lets the wanted revision, which runs beside the mesh's own Deployments, take those over as well. What runs beside goes when
// they serve: until then the chosen namespaces depend on it.
func (s Situation) promote(wanted Revision) Plan {
	p := Plan{Phase: ControlPlane, Base: s.Wanted}
	if s.Base != s.Wanted || !wanted.Serving || !Well(s.Verdicts) {
		p.Beside, p.Injects, p.Waiting = s.Wanted, s.injecting(wanted), Explain(s.Verdicts, Waiting)
	}
	return p
}

// injecting keeps the chosen namespaces with the injector beside, as long as it answers: otherwise no pod of theirs could start.
func (s Situation) injecting(wanted Revision) string {
	if s.Injects != s.Wanted || s.Beside != s.Wanted || !wanted.Answering || len(s.Chosen) == 0 {
		return ""
	}
	return s.Wanted
}

// first says whether a workload is in a namespace that moves first.
func (s Situation) first(w Workload) bool { return slices.Contains(s.Chosen, w.Ref.Namespace) }

// tried says whether a sidecar of the wanted revision runs in a namespace that moves first.
func (s Situation) tried() bool {
	return slices.ContainsFunc(s.Workloads, func(w Workload) bool { return s.first(w) && w.Sidecars[s.Wanted] > 0 })
}
