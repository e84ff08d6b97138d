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
	soaking = []Verdict{{"ReplicasReady", Passed, ""}, {soakGate, Waiting, "rest"}}
	waiting = []Verdict{{"ReplicasReady", Waiting, "not ready"}, {soakGate, Waiting, "rest"}}
	failed  = []Verdict{{"ReplicasReady", Failed, "never ready"}, {soakGate, Waiting, "rest"}}
)

// upgrade is a mesh that ran old and asks for new, changed by what a test is about.
func upgrade(change ...func(*Situation)) Situation {
	s := Situation{
		Now: noon, Since: noon.Add(-time.Hour), Automatic: true, Wanted: "new", Base: "new", Verdicts: passed,
		Revisions: []Revision{{Name: "old", Verified: noon.Add(-24 * time.Hour), Serving: true}, {Name: "new", Serving: true}},
		Workloads: []Workload{deployment("a", "x", "old"), deployment("b", "y", "old")},
		Limits:    Limits{MaxUnavailable: intstr.FromInt32(1)}, Strategy: InPlace,
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

func TestNext(t *testing.T) {
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
				s.Workloads[i].Settled = s.Workloads[i].Settled && s.Workloads[i].Ref.Name != name
			}
		}
	}
	rejected := func(s *Situation) { s.Revisions[1].Rejected = "because" }
	verified := func(s *Situation) { s.Revisions[1].Verified = noon }
	type want struct {
		phase   Phase
		base    string
		restart []string
	}
	for name, c := range map[string]struct {
		s    Situation
		want want
	}{
		"install":                     {upgrade(func(s *Situation) { s.Revisions, s.Base, s.Workloads = nil, "", nil }, verdicts(waiting)), want{Installing, "new", nil}},
		"installed":                   {upgrade(func(s *Situation) { s.Revisions = s.Revisions[1:]; s.Workloads = nil }, verdicts(soaking)), want{Settled, "new", nil}},
		"take over":                   {upgrade(func(s *Situation) { s.Base = "old" }), want{ControlPlane, "new", nil}},
		"wait for the control plane":  {upgrade(verdicts(waiting)), want{ControlPlane, "new", nil}},
		"soak":                        {upgrade(verdicts(soaking)), want{ControlPlane, "new", nil}},
		"the injector does not serve": {upgrade(func(s *Situation) { s.Revisions[1].Serving = false }), want{ControlPlane, "new", nil}},
		"the first wave":              {upgrade(), want{Workloads, "new", []string{"x", "y"}}},
		"no soak between waves":       {upgrade(moved("x"), verdicts(soaking)), want{Workloads, "new", []string{"y"}}},
		"soak after a new start":      {upgrade(moved("x"), verdicts(soaking), func(s *Situation) { s.Since = noon }), want{Workloads, "new", nil}},
		"soak after the last wave":    {upgrade(moved("x", "y"), verdicts(soaking)), want{Workloads, "new", nil}},
		"verified":                    {upgrade(moved("x", "y")), want{Settled, "new", nil}},
		"settled catches up":          {upgrade(verified), want{Settled, "new", []string{"x", "y"}}},
		"fails":                       {upgrade(verdicts(failed)), want{RollingBack, "old", nil}},
		"fails, and people decide":    {upgrade(verdicts(failed), func(s *Situation) { s.Automatic = false }), want{Halted, "new", nil}},
		"back: control plane first":   {upgrade(rejected, moved("x")), want{RollingBack, "old", nil}},
		"back: then workloads":        {upgrade(rejected, moved("x"), func(s *Situation) { s.Base = "old" }), want{RollingBack, "old", []string{"x"}}},
		"back: ready or not":          {upgrade(rejected, moved("x"), unready("x"), func(s *Situation) { s.Base = "old" }), want{RollingBack, "old", []string{"x"}}},
		"rolled back":                 {upgrade(rejected, func(s *Situation) { s.Base = "old" }), want{RolledBack, "old", nil}},
		"nothing to go back to":       {upgrade(rejected, func(s *Situation) { s.Revisions[0].Verified = time.Time{} }), want{Halted, "new", nil}},
	} {
		t.Run(name, func(t *testing.T) {
			p := Next(c.s)
			if p.Phase != c.want.phase || p.Base != c.want.base || !slices.Equal(names(p.Wave.Restart), c.want.restart) {
				t.Errorf("got %s, base %q, restart %v; want %+v", p.Phase, p.Base, names(p.Wave.Restart), c.want)
			}
		})
	}
}

// TestNextIsSafe holds in every situation.
func TestNextIsSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSituation(t)
		p := Next(s)
		wanted := s.revision(s.Wanted)
		if good := s.lastGood(); good != "" && wanted.Verified.IsZero() && slices.Contains(p.Retire, good) {
			t.Fatalf("retires %s, to which it may have to go back: %+v", good, p)
		}
		if slices.Contains(p.Retire, p.Base) || slices.Contains(p.Retire, p.Beside) {
			t.Fatalf("retires what it uses: %+v", p)
		}
		if p.Injects != "" && (p.Injects != p.Beside || !s.revision(p.Injects).Answering) {
			t.Fatalf("sends pods to an injector that does not answer: %+v", p)
		}
		forward := wanted.Verified.IsZero() && wanted.Rejected == "" && p.Reject == ""
		unseen := len(s.Verdicts) == 0 || slices.ContainsFunc(s.Verdicts, func(v Verdict) bool { return v.State != Passed && v.Gate != soakGate })
		if forward && unseen && len(p.Wave.Restart) > 0 {
			t.Fatalf("goes forward without having seen that all is well: %+v", p)
		}
		if p.Verify && s.lastGood() != "" && Worst(s.Verdicts) != Passed {
			t.Fatalf("verifies what did not pass: %+v", p)
		}
		for _, ref := range p.Wave.Restart {
			injector := p.Base
			if p.Injects != "" && slices.Contains(s.Chosen, ref.Namespace) {
				injector = p.Injects
			}
			if p.Wave.Target != injector || s.Injects != p.Injects || !s.revision(injector).Serving {
				t.Fatalf("restarts %s before the injector of %s decides about it and serves: %+v", ref, p.Wave.Target, p)
			}
			if forward && p.Base != s.Wanted && !slices.Contains(s.Chosen, ref.Namespace) {
				t.Fatalf("restarts %s, which is not among the first, before the promotion: %+v", ref, p)
			}
		}
	})
}

func drawSituation(t *rapid.T) Situation {
	state := rapid.SampledFrom([]State{Passed, Passed, Waiting, Failed})
	s := Situation{
		Now: noon, Since: noon.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "since")) * time.Minute),
		Strategy:  rapid.SampledFrom([]Strategy{InPlace, Canary}).Draw(t, "strategy"),
		Automatic: rapid.Bool().Draw(t, "automatic"), Wanted: "new",
		Base:      rapid.SampledFrom([]string{"", "old", "new"}).Draw(t, "base"),
		Beside:    rapid.SampledFrom([]string{"", "new", "older"}).Draw(t, "beside"),
		Injects:   rapid.SampledFrom([]string{"", "new", "older"}).Draw(t, "injects"),
		Refused:   rapid.SampledFrom([]string{"", "", "", "too old"}).Draw(t, "refused"),
		Chosen:    rapid.SampledFrom([][]string{{"a"}, {"a", "b"}, nil}).Draw(t, "chosen"),
		Workloads: drawWorkloads(t, []string{"old", "new", "older"}),
	}
	for _, name := range []string{"older", "old", "new"} {
		r := Revision{Name: name, Serving: rapid.Bool().Draw(t, "serving"), Answering: rapid.Bool().Draw(t, "answering")}
		r.Answering = r.Answering || r.Serving
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
