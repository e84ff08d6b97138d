package rollout

import (
	"slices"
)

// Next says what shall be so now. It goes forward only on verdicts that all passed, and never retires the revision to go back to
// before the wanted one is verified. What runs beside goes only after its webhook was seen to have gone: a pod that asks an injector
// which is not there cannot start.
func Next(s Situation) Plan { return s.orderly(s.next()) }

// Before is the plan while something is noted that has to be known before the wanted revision acts.
func Before(s Situation, waiting string) Plan {
	p := Plan{Phase: ControlPlane, Base: s.Base, Waiting: waiting}
	if s.Strategy == Canary {
		p.Phase = CanaryControlPlane
	}
	return s.orderly(p)
}

// orderly keeps what runs beside until its webhook was seen to have gone.
func (s Situation) orderly(p Plan) Plan {
	if s.Injects != "" && s.Injects == s.Beside && p.Injects != s.Injects && p.Beside != s.Beside {
		p.Beside = s.Beside
		p.Retire = slices.DeleteFunc(p.Retire, func(name string) bool { return name == p.Beside })
	}
	return p
}

func (s Situation) next() Plan {
	wanted := s.revision(s.Wanted)
	switch {
	case wanted.Rejected != "":
		return s.back(wanted)
	case !wanted.Verified.IsZero():
		return s.settled()
	case s.lastGood() == "":
		return s.install()
	case Worst(s.Verdicts) == Failed:
		return s.fail(wanted)
	case s.Strategy == Canary && s.Base != s.Wanted:
		return s.canary(wanted)
	case s.Beside == s.Wanted:
		return s.promote(wanted)
	}
	return s.replace(wanted)
}

// install brings up the first revision. There is nothing to compare it with and nothing to go back to, so it only has to run.
func (s Situation) install() Plan {
	p := Plan{Phase: Installing, Base: s.Wanted, Waiting: Explain(s.Verdicts, Waiting)}
	ready := slices.ContainsFunc(s.Verdicts, func(v Verdict) bool { return v.Gate == "ReplicasReady" && v.State == Passed })
	if ready && s.Base == s.Wanted {
		p.Phase, p.Verify, p.Waiting = Settled, true, ""
	}
	return p
}

// replace takes the mesh's own Deployments over, then moves the workloads.
func (s Situation) replace(wanted Revision) Plan {
	p := Plan{Phase: ControlPlane, Base: s.Wanted}
	if s.Base != s.Wanted || !wanted.Serving || s.Injects != "" {
		p.Waiting = Explain(s.Verdicts, Waiting)
		return p
	}
	// With a canary, some were restarted before the mesh's own Deployments were replaced.
	if s.begun(func(w Workload) bool { return s.Strategy != Canary || !s.first(w) }) {
		p.Phase = Workloads
	}
	if !s.mayMove() {
		p.Waiting = Explain(s.Verdicts, Waiting)
		return p
	}
	p.Phase = Workloads
	p.Wave = NextWave(s.Workloads, s.Wanted, s.Limits, s.Now)
	if p.Wave.Done() && Worst(s.Verdicts) == Passed {
		p.Phase, p.Verify = Settled, true
	}
	return p
}

// mayMove says whether workloads may be restarted now: every gate has passed. Between the waves of one step, those since the
// control plane became ready, the soak does not count; the pause of the limits does.
func (s Situation) mayMove() bool {
	waves := !s.Since.IsZero() && s.restartedAfter(s.Since)
	return len(s.Verdicts) > 0 && (Worst(s.Verdicts) == Passed || waves && Well(s.Verdicts))
}

// fail gives the wanted revision up, or waits for people to do it.
func (s Situation) fail(wanted Revision) Plan {
	why := Explain(s.Verdicts, Failed)
	if !s.Automatic {
		p := Plan{Phase: Halted, Base: s.Base, Injects: s.injecting(wanted), Waiting: why}
		if s.Beside == s.Wanted {
			p.Beside = s.Wanted
		}
		return p
	}
	wanted.Rejected = why
	p := s.back(wanted)
	p.Reject = why
	return p
}

// back returns to the last good revision: its control plane first, then the workloads that have a sidecar of the wanted one, or were
// restarted away from it already. What ran beside goes before them: its sidecars find the mesh's own control plane under its name.
func (s Situation) back(wanted Revision) Plan {
	good := s.lastGood()
	if good == "" {
		return Plan{Phase: Halted, Base: s.Wanted, Waiting: wanted.Rejected + "; there is no earlier revision to go back to"}
	}
	p := Plan{Phase: RollingBack, Base: good, Waiting: wanted.Rejected}
	// As long as the injector beside decides about pods, restarted ones would get its sidecars again.
	if s.Base != good || !s.revision(good).Serving || s.Beside != "" || s.Injects != "" {
		return p
	}
	limits := s.Limits
	limits.Manual, limits.Undo = false, s.Wanted
	limits.Only = func(w Workload) bool { return w.Sidecars[s.Wanted] > 0 || w.Restart.Revision == good }
	p.Wave = NextWave(s.Workloads, good, limits, s.Now)
	if p.Wave.Done() {
		p.Phase = RolledBack
	}
	return p
}

// settled keeps the wanted revision, catches up with workloads that could not be restarted before, and retires the others: sidecars
// of theirs are served by the wanted one.
func (s Situation) settled() Plan {
	p := Plan{Phase: Settled, Base: s.Wanted}
	if s.Base == s.Wanted && s.revision(s.Wanted).Serving && s.Injects == "" {
		p.Wave = NextWave(s.Workloads, s.Wanted, s.Limits, s.Now)
	}
	for _, r := range s.Revisions {
		if r.Name != s.Wanted && s.Base == s.Wanted {
			p.Retire = append(p.Retire, r.Name)
		}
	}
	slices.Sort(p.Retire)
	return p
}
