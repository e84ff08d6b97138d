package rollout

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

var (
	passed  = []Verdict{{"ReplicasReady", Passed, ""}, {soakGate, Passed, ""}}
	soaking = []Verdict{{"ReplicasReady", Passed, ""}, {soakGate, Waiting, "soak"}}
	waiting = []Verdict{{"ReplicasReady", Waiting, "not ready"}, {soakGate, Waiting, "soak"}}
	failed  = []Verdict{{"ReplicasReady", Failed, "never ready"}, {soakGate, Waiting, "soak"}}
)

// upgrade is an upgrade from old to new, with changes.
func upgrade(change ...func(*Situation)) Situation {
	s := Situation{
		Now: noon, ReadySince: noon.Add(-time.Hour), AutomaticRollback: true, Desired: "new", Active: "new", Verdicts: passed,
		Revisions: []Revision{{Name: "old", Verified: noon.Add(-24 * time.Hour), Serving: true}, {Name: "new", Serving: true}},
		Workloads: []Workload{deployment("a", "x", "old"), deployment("b", "y", "old")},
		Limits:    Limits{MaxUnavailable: intstr.FromInt32(1)}, Strategy: InPlace,
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

func TestNextPlan(t *testing.T) {
	verdicts := func(v []Verdict) func(*Situation) { return func(s *Situation) { s.Verdicts = v } }
	moved := func(names ...string) func(*Situation) {
		return func(s *Situation) {
			for i := range s.Workloads {
				if w := &s.Workloads[i]; slices.Contains(names, w.Ref.Name) {
					w.Sidecars, w.Restart = map[string]int{"new": 2}, Restart{Revision: "new", At: noon.Add(-time.Minute)}
				}
			}
		}
	}
	unready := func(name string) func(*Situation) {
		return func(s *Situation) {
			for i := range s.Workloads {
				s.Workloads[i].Ready = s.Workloads[i].Ready && s.Workloads[i].Ref.Name != name
			}
		}
	}
	rejected := func(s *Situation) { s.Revisions[1].Rejected = "because" }
	verified := func(s *Situation) { s.Revisions[1].Verified = noon }
	type want struct {
		phase   Phase
		active  string
		restart []string
	}
	for name, c := range map[string]struct {
		s    Situation
		want want
	}{
		"install":                               {upgrade(func(s *Situation) { s.Revisions, s.Active, s.Workloads = nil, "", nil }, verdicts(waiting)), want{Installing, "new", nil}},
		"installed":                             {upgrade(func(s *Situation) { s.Revisions = s.Revisions[1:]; s.Workloads = nil }, verdicts(soaking)), want{Idle, "new", nil}},
		"replace the control plane":             {upgrade(func(s *Situation) { s.Active = "old" }), want{ControlPlane, "new", nil}},
		"wait for the control plane":            {upgrade(verdicts(waiting)), want{ControlPlane, "new", nil}},
		"soak":                                  {upgrade(verdicts(soaking)), want{ControlPlane, "new", nil}},
		"injector is not serving":               {upgrade(func(s *Situation) { s.Revisions[1].Serving = false }), want{ControlPlane, "new", nil}},
		"first wave":                            {upgrade(), want{Workloads, "new", []string{"x", "y"}}},
		"no soak between waves":                 {upgrade(moved("x"), verdicts(soaking)), want{Workloads, "new", []string{"y"}}},
		"soak after the control plane restarts": {upgrade(moved("x"), verdicts(soaking), func(s *Situation) { s.ReadySince = noon }), want{Workloads, "new", nil}},
		"soak after the last wave":              {upgrade(moved("x", "y"), verdicts(soaking)), want{Workloads, "new", nil}},
		"verified":                              {upgrade(moved("x", "y")), want{Idle, "new", nil}},
		"idle restarts outdated workloads":      {upgrade(verified), want{Idle, "new", []string{"x", "y"}}},
		"fails":                                 {upgrade(verdicts(failed)), want{RollingBack, "old", nil}},
		"fails without automatic rollback":      {upgrade(verdicts(failed), func(s *Situation) { s.AutomaticRollback = false }), want{Halted, "new", nil}},
		"rollback: control plane first":         {upgrade(rejected, moved("x")), want{RollingBack, "old", nil}},
		"rollback: then workloads":              {upgrade(rejected, moved("x"), func(s *Situation) { s.Active = "old" }), want{RollingBack, "old", []string{"x"}}},
		"rollback: restarts workloads that are not ready": {upgrade(rejected, moved("x"), unready("x"), func(s *Situation) { s.Active = "old" }), want{RollingBack, "old", []string{"x"}}},
		"rolled back":                 {upgrade(rejected, func(s *Situation) { s.Active = "old" }), want{RolledBack, "old", nil}},
		"no revision to roll back to": {upgrade(rejected, func(s *Situation) { s.Revisions[0].Verified = time.Time{} }), want{Halted, "new", nil}},
	} {
		t.Run(name, func(t *testing.T) {
			p := NextPlan(c.s)
			if p.Phase != c.want.phase || p.Active != c.want.active || !slices.Equal(names(p.Wave.Restart), c.want.restart) {
				t.Errorf("got %s, active %q, restart %v; want %+v", p.Phase, p.Active, names(p.Wave.Restart), c.want)
			}
		})
	}
}

// TestNextPlan_Invariants checks random situations.
func TestNextPlan_Invariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSituation(t)
		p := NextPlan(s)
		desired := s.revision(s.Desired)
		if good := s.lastGood(); good != "" && desired.Verified.IsZero() && slices.Contains(p.Retire, good) {
			t.Fatalf("retires %s, the revision to roll back to: %+v", good, p)
		}
		if slices.Contains(p.Retire, p.Active) || slices.Contains(p.Retire, p.Canary) {
			t.Fatalf("retires a revision in use: %+v", p)
		}
		if p.CanaryInjector != "" && (p.CanaryInjector != p.Canary || !s.revision(p.CanaryInjector).InjectorReady) {
			t.Fatalf("uses a canary injector that is not ready: %+v", p)
		}
		forward := desired.Verified.IsZero() && desired.Rejected == "" && p.Reject == ""
		notPassed := len(s.Verdicts) == 0 || slices.ContainsFunc(s.Verdicts, func(v Verdict) bool { return v.State != Passed && v.Gate != soakGate })
		if forward && notPassed && len(p.Wave.Restart) > 0 {
			t.Fatalf("restarts workloads before the gates pass: %+v", p)
		}
		if p.Verify && s.lastGood() != "" && Worst(s.Verdicts) != Passed {
			t.Fatalf("verifies a revision before the gates pass: %+v", p)
		}
		for _, ref := range p.Wave.Restart {
			injector := p.Active
			if p.CanaryInjector != "" && slices.Contains(s.CanaryNamespaces, ref.Namespace) {
				injector = p.CanaryInjector
			}
			if p.Wave.Target != injector || s.CanaryInjector != p.CanaryInjector || !s.revision(injector).Serving {
				t.Fatalf("restarts %s before the injector of %s serves its namespace: %+v", ref, p.Wave.Target, p)
			}
			if forward && p.Active != s.Desired && !slices.Contains(s.CanaryNamespaces, ref.Namespace) {
				t.Fatalf("restarts %s, which is not in a canary namespace, before the promotion: %+v", ref, p)
			}
		}
	})
}

func drawSituation(t *rapid.T) Situation {
	state := rapid.SampledFrom([]State{Passed, Passed, Waiting, Failed})
	s := Situation{
		Now: noon, ReadySince: noon.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "since")) * time.Minute),
		Strategy:          rapid.SampledFrom([]Strategy{InPlace, Canary}).Draw(t, "strategy"),
		AutomaticRollback: rapid.Bool().Draw(t, "automatic"), Desired: "new",
		Active:            rapid.SampledFrom([]string{"", "old", "new"}).Draw(t, "base"),
		Canary:            rapid.SampledFrom([]string{"", "new", "older"}).Draw(t, "canary"),
		CanaryInjector:    rapid.SampledFrom([]string{"", "new", "older"}).Draw(t, "injects"),
		CanaryUnsupported: rapid.SampledFrom([]string{"", "", "", "too old"}).Draw(t, "refused"),
		CanaryNamespaces:  rapid.SampledFrom([][]string{{"a"}, {"a", "b"}, nil}).Draw(t, "chosen"),
		Workloads:         drawWorkloads(t, []string{"old", "new", "older"}),
	}
	for _, name := range []string{"older", "old", "new"} {
		r := Revision{Name: name, Serving: rapid.Bool().Draw(t, "serving"), InjectorReady: rapid.Bool().Draw(t, "answering")}
		r.InjectorReady = r.InjectorReady || r.Serving
		if rapid.Bool().Draw(t, "verified") {
			r.Verified = noon.Add(-time.Hour)
		}
		if rapid.IntRange(0, 4).Draw(t, "rejected") == 0 {
			r.Rejected = "because"
		}
		s.Revisions = append(s.Revisions, r)
	}
	if rapid.Bool().Draw(t, "seen") {
		s.Verdicts = []Verdict{{"ReplicasReady", state.Draw(t, "replicas"), ""}, {"ErrorRate", state.Draw(t, "errors"), ""}, {soakGate, state.Draw(t, "soak"), ""}}
	}
	return s
}
