package rollout

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

// simulator simulates a mesh that executes plans, for tests with sequences of observations.
type simulator struct {
	s Situation
	// retired are the revisions that plans retired.
	retired []string
}

func newSimulator(t *rapid.T) *simulator {
	w := &simulator{s: Situation{
		Now: noon, ReadySince: noon, AutomaticRollback: true, Desired: "new", Active: "old",
		Strategy: rapid.SampledFrom([]Strategy{InPlace, Canary, Canary}).Draw(t, "strategy"),
		Limits: Limits{
			MaxUnavailable: intstr.FromInt32(rapid.Int32Range(1, 2).Draw(t, "max")),
			Timeout:        rapid.SampledFrom([]time.Duration{0, 3 * time.Minute}).Draw(t, "timeout"),
		},
		Revisions: []Revision{
			{Name: "old", Verified: noon.Add(-time.Hour), Serving: true, InjectorReady: true},
			{Name: "new"},
		},
	}}
	if w.s.Strategy == Canary {
		w.s.CanaryNamespaces = []string{"a"}
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "workloads") {
		namespace := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "namespace")
		w.s.Workloads = append(w.s.Workloads, deployment(namespace, string(rune('a'+i)), "old"))
	}
	return w
}

// injector is the revision whose injector serves a namespace.
func (w *simulator) injector(namespace string) string {
	if w.s.CanaryInjector != "" && slices.Contains(w.s.CanaryNamespaces, namespace) {
		return w.s.CanaryInjector
	}
	return w.s.Active
}

// execute executes a plan in the order of the operator.
func (w *simulator) execute(p Plan) {
	if p.Active != w.s.Active || p.Canary != w.s.Canary {
		// A revision is not ready immediately after its role changes.
		for i := range w.s.Revisions {
			r := &w.s.Revisions[i]
			if r.Name == p.Active && w.s.Active != p.Active || r.Name == p.Canary && w.s.Canary != p.Canary {
				r.Serving = false
			}
		}
		w.s.ReadySince = w.s.Now
	}
	w.s.Active, w.s.Canary, w.s.CanaryInjector = p.Active, p.Canary, p.CanaryInjector
	desired := &w.s.Revisions[1]
	if p.Verify {
		desired.Verified = w.s.Now
	}
	if p.Reject != "" {
		desired.Rejected = p.Reject
	}
	w.retired = append(w.retired, p.Retire...)
	for _, ref := range p.Wave.Restart {
		for i := range w.s.Workloads {
			if load := &w.s.Workloads[i]; load.Ref == ref {
				load.Restart = Restart{Revision: p.Wave.Target, At: w.s.Now}
				load.Sidecars, load.Ready = map[string]int{w.injector(ref.Namespace): 2}, false
			}
		}
	}
}

// observe draws new observations: pods become ready or fail, and verdicts are known or unknown.
func (w *simulator) observe(t *rapid.T) {
	w.s.Now = w.s.Now.Add(time.Minute)
	for i := range w.s.Revisions {
		r := &w.s.Revisions[i]
		runs := r.Name == w.s.Active || r.Name == w.s.Canary
		r.Serving = runs && (r.Serving || rapid.Bool().Draw(t, "ready")) && rapid.IntRange(0, 9).Draw(t, "breaks") > 0
		r.InjectorReady = runs && (r.Serving || rapid.Bool().Draw(t, "answers"))
	}
	for i := range w.s.Workloads {
		if load := &w.s.Workloads[i]; !load.Ready && rapid.Bool().Draw(t, "becomes ready") {
			load.Ready, load.ReadySince = true, w.s.Now
		}
	}
	w.s.Verdicts = nil
	if rapid.IntRange(0, 4).Draw(t, "seen") > 0 {
		state := rapid.SampledFrom([]State{Passed, Passed, Passed, Passed, Waiting, Waiting, Failed})
		soak := rapid.SampledFrom([]State{Passed, Waiting})
		w.s.Verdicts = []Verdict{{"ErrorRate", state.Draw(t, "errors"), "errors"}, {soakGate, soak.Draw(t, "soak"), "soak"}}
	}
}

// unready counts the workloads of a namespace that are not ready.
func (w *simulator) unready(namespace string) int {
	n := 0
	for _, load := range w.s.Workloads {
		if load.Ref.Namespace == namespace && !load.Ready {
			n++
		}
	}
	return n
}

// TestPlanSequence_Invariants checks random sequences of observations.
func TestPlanSequence_Invariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newSimulator(t)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			w.observe(t)
			before := w.s
			before.Revisions, before.Workloads = slices.Clone(before.Revisions), slices.Clone(before.Workloads)
			p := NextPlan(w.s)
			w.execute(p)
			forward := w.s.Revisions[1].Rejected == "" && before.Revisions[1].Verified.IsZero()
			if w.s.Revisions[1].Verified.IsZero() && slices.Contains(w.retired, "old") {
				t.Fatalf("the last good revision is pruned: %+v", p)
			}
			if before.Revisions[1].Verified.IsZero() && p.Verify && Worst(before.Verdicts) != Passed {
				t.Fatalf("verified before the gates passed: %+v", p)
			}
			if forward && len(p.Wave.Restart) > 0 && !PassedExceptSoak(before.Verdicts) {
				t.Fatalf("restarts workloads before the gates passed: %+v", p)
			}
			if forward && before.Strategy == Canary && before.Active == "old" && p.Active == "new" && Worst(before.Verdicts) != Passed {
				t.Fatalf("promoted before the gates passed: %+v", p)
			}
			if p.CanaryInjector != "" && (p.Canary != p.CanaryInjector || !before.revision(p.CanaryInjector).InjectorReady) {
				t.Fatalf("uses a canary injector that is not ready: %+v", p)
			}
			for _, namespace := range []string{"a", "b"} {
				if len(p.Wave.Restart) > 0 && w.unready(namespace) > max(int(w.s.Limits.MaxUnavailable.IntVal), before.unready(namespace)) {
					t.Fatalf("%d workloads of %s are restarting: %+v", w.unready(namespace), namespace, p)
				}
			}
			for _, load := range w.s.Workloads {
				if before.Strategy == Canary && w.s.Active == "old" && load.Ref.Namespace != "a" && (load.Sidecars["new"] > 0 || load.Restart.Revision == "new") && forward {
					t.Fatalf("%s was moved before the promotion: %+v", load.Ref, p)
				}
				if load.Restart.At.Equal(w.s.Now) && load.Sidecars[load.Restart.Revision] == 0 {
					t.Fatalf("%s was restarted for %s and has sidecars of another revision: %+v", load.Ref, load.Restart.Revision, p)
				}
			}
		}
		w.checkCompletes(t)
	})
}

// unready counts the workloads of a namespace that are not ready.
func (s Situation) unready(namespace string) int {
	w := &simulator{s: s}
	return w.unready(namespace)
}

// checkCompletes requires that the upgrade or its rollback completes when all gates pass from now on.
func (w *simulator) checkCompletes(t *rapid.T) {
	for range 60 {
		w.s.Now = w.s.Now.Add(time.Minute)
		for i := range w.s.Revisions {
			r := &w.s.Revisions[i]
			r.Serving = r.Name == w.s.Active || r.Name == w.s.Canary
			r.InjectorReady = r.Serving
		}
		for i := range w.s.Workloads {
			if load := &w.s.Workloads[i]; !load.Ready {
				load.Ready, load.ReadySince = true, w.s.Now
			}
		}
		w.s.Verdicts = passed
		w.execute(NextPlan(w.s))
	}
	desired, end := w.s.Revisions[1], "new"
	if desired.Rejected != "" {
		end = "old"
	} else if desired.Verified.IsZero() {
		// Without a workload in a canary namespace the canary is never promoted.
		if w.s.Strategy == Canary && !slices.ContainsFunc(w.s.Workloads, w.s.isInCanary) {
			return
		}
		t.Fatalf("the upgrade does not complete: %+v", NextPlan(w.s))
	}
	for _, load := range w.s.Workloads {
		if load.isOutdated(end, w.s.Limits) || w.s.Active != end || w.s.Canary != "" || w.s.CanaryInjector != "" {
			t.Fatalf("%+v has not reached %s: %+v", load, end, NextPlan(w.s))
		}
	}
}
