package rollout

import (
	"slices"
)

// Next says what shall be so now. It goes forward only on verdicts that all passed, and never retires the revision to go back to
// before the wanted one is verified.
func Next(s Situation) Plan {
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
	if s.Base != s.Wanted || !wanted.Serving {
		p.Waiting = Explain(s.Verdicts, Waiting)
		return p
	}
	if s.begun() {
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
		return Plan{Phase: Halted, Base: s.Base, Waiting: why}
	}
	wanted.Rejected = why
	p := s.back(wanted)
	p.Reject = why
	return p
}

// back returns to the last good revision: its control plane first, then the workloads.
func (s Situation) back(wanted Revision) Plan {
	good := s.lastGood()
	if good == "" {
		return Plan{Phase: Halted, Base: s.Wanted, Waiting: wanted.Rejected + "; there is no earlier revision to go back to"}
	}
	p := Plan{Phase: RollingBack, Base: good, Waiting: wanted.Rejected}
	if s.Base != good || !s.revision(good).Serving {
		return p
	}
	limits := s.Limits
	limits.Manual = false
	p.Wave = NextWave(s.movedTo(s.Wanted), good, limits, s.Now)
	if p.Wave.Done() {
		p.Phase = RolledBack
	}
	return p
}

// movedTo are the workloads that have a sidecar of a revision, or were restarted away from it.
func (s Situation) movedTo(revision string) []Workload {
	good := s.lastGood()
	return slices.DeleteFunc(slices.Clone(s.Workloads), func(w Workload) bool {
		return w.Sidecars[revision] == 0 && w.Restart.Revision != good
	})
}

// settled keeps the wanted revision, catches up with workloads that could not be restarted before, and retires the others: sidecars
// of theirs are served by the wanted one.
func (s Situation) settled() Plan {
	p := Plan{Phase: Settled, Base: s.Wanted}
	if s.Base == s.Wanted && s.revision(s.Wanted).Serving {
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
