package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// trial is a mesh that runs old, beside which new comes up for namespace a.
func trial(change ...func(*Situation)) Situation {
	return upgrade(append([]func(*Situation){func(s *Situation) {
		s.Strategy, s.Base, s.Beside, s.Chosen = Canary, "old", "new", []string{"a"}
		s.Revisions[1].Answering = true
	}}, change...)...)
}

func TestCanary(t *testing.T) {
	verdicts := func(v []Verdict) func(*Situation) { return func(s *Situation) { s.Verdicts = v } }
	injects := func(s *Situation) { s.Injects = "new" }
	promoting := func(s *Situation) { s.Base, s.Injects = "new", "new" }
	rejected := func(s *Situation) { s.Revisions[1].Rejected = "because" }
	silent := func(s *Situation) { s.Revisions[1].Serving, s.Revisions[1].Answering = false, false }
	moved := func(names ...string) func(*Situation) {
		return func(s *Situation) {
			for i := range s.Workloads {
				if w := &s.Workloads[i]; slices.Contains(names, w.Ref.Name) {
					w.Sidecars, w.Restart = map[string]int{"new": 2}, Restart{Revision: "new", At: noon.Add(-time.Minute)}
				}
			}
		}
	}
	type want struct {
		phase                 Phase
		base, beside, injects string
		restart               []string
	}
	for name, c := range map[string]struct {
		s    Situation
		want want
	}{
		"starts beside":                    {trial(func(s *Situation) { s.Beside, s.Verdicts = "", nil }, silent), want{CanaryControlPlane, "old", "new", "", nil}},
		"waits for its pods":               {trial(verdicts(waiting), silent), want{CanaryControlPlane, "old", "new", "", nil}},
		"soaks before anybody moves":       {trial(verdicts(soaking)), want{CanaryControlPlane, "old", "new", "", nil}},
		"gets the webhook":                 {trial(), want{CanaryWorkloads, "old", "new", "new", nil}},
		"then moves what is chosen":        {trial(injects), want{CanaryWorkloads, "old", "new", "new", []string{"x"}}},
		"keeps the webhook while it waits": {trial(injects, verdicts(waiting)), want{CanaryWorkloads, "old", "new", "new", nil}},
		"loses it when no pod answers":     {trial(injects, verdicts(waiting), silent), want{CanaryWorkloads, "old", "new", "", nil}},
		"keeps it with one pod that does": {
			trial(injects, verdicts(waiting), func(s *Situation) { s.Revisions[1].Serving = false }), want{CanaryWorkloads, "old", "new", "new", nil},
		},
		"soaks after the wave": {trial(injects, moved("x"), verdicts(soaking)), want{CanaryWorkloads, "old", "new", "new", nil}},
		"is promoted":          {trial(injects, moved("x")), want{ControlPlane, "new", "new", "new", nil}},
		"is not promoted untried": {
			trial(injects, func(s *Situation) { s.Limits.Manual = true }), want{CanaryWorkloads, "old", "new", "new", nil},
		},
		"runs both until the mesh's own serve": {
			trial(promoting, moved("x"), verdicts(waiting), func(s *Situation) { s.Revisions[1].Serving = false }),
			want{ControlPlane, "new", "new", "new", nil},
		},
		"runs both until all is well":    {trial(promoting, moved("x"), verdicts(waiting)), want{ControlPlane, "new", "new", "new", nil}},
		"goes when the mesh's own serve": {trial(promoting, moved("x"), verdicts(soaking)), want{ControlPlane, "new", "new", "", nil}},
		"after its webhook has":          {trial(promoting, moved("x"), verdicts(soaking), func(s *Situation) { s.Injects = "" }), want{ControlPlane, "new", "", "", nil}},
		"the rest waits for the webhook": {trial(promoting, moved("x"), func(s *Situation) { s.Beside = "" }), want{ControlPlane, "new", "", "", nil}},
		"the mesh's own soak":            {trial(promoting, moved("x"), verdicts(soaking), gone, func(s *Situation) { s.Since = noon }), want{ControlPlane, "new", "", "", nil}},
		"then the rest follows":          {trial(promoting, moved("x"), gone), want{Workloads, "new", "", "", []string{"y"}}},
		"verified":                       {trial(promoting, moved("x", "y"), gone), want{Settled, "new", "", "", nil}},
		"fails before anybody moved":     {trial(verdicts(failed)), want{RollingBack, "old", "", "", nil}},
		"fails: first the webhook goes":  {trial(injects, moved("x"), verdicts(failed)), want{RollingBack, "old", "new", "", nil}},
		"then its control plane":         {trial(rejected, moved("x"), func(s *Situation) { s.Injects = "" }), want{RollingBack, "old", "", "", nil}},
		"then what was moved returns":    {trial(rejected, moved("x"), gone, back), want{RollingBack, "old", "", "", []string{"x"}}},
		"and it is over":                 {trial(rejected, gone, back), want{RolledBack, "old", "", "", nil}},
		"fails during the promotion":     {trial(promoting, moved("x"), verdicts(failed)), want{RollingBack, "old", "new", "", nil}},
		"people decide":                  {trial(injects, verdicts(failed), func(s *Situation) { s.Automatic = false }), want{Halted, "old", "new", "new", nil}},
		"people decide, and nobody answers": {
			trial(injects, verdicts(failed), silent, func(s *Situation) { s.Automatic = false }), want{Halted, "old", "new", "", nil},
		},
		"the version cannot":            {trial(gone, func(s *Situation) { s.Refused = "too old" }), want{Halted, "old", "", "", nil}},
		"nobody is chosen":              {trial(func(s *Situation) { s.Beside, s.Chosen = "", nil }), want{Halted, "old", "", "", nil}},
		"nobody is chosen any more":     {trial(injects, func(s *Situation) { s.Chosen = nil }), want{Halted, "old", "new", "", nil}},
		"becomes in place":              {trial(injects, moved("x"), func(s *Situation) { s.Strategy, s.Chosen = InPlace, nil }), want{ControlPlane, "new", "new", "", nil}},
		"people go back to the version": {trial(injects, moved("x"), func(s *Situation) { s.Wanted = "old" }), want{Settled, "old", "new", "", nil}},
		"another version is wanted":     {trial(injects, func(s *Situation) { s.Wanted, s.Verdicts = "newer", nil }), want{CanaryControlPlane, "old", "new", "", nil}},
		"the first installation":        {trial(gone, func(s *Situation) { s.Revisions, s.Base = s.Revisions[1:], "" }), want{Installing, "new", "", "", nil}},
	} {
		t.Run(name, func(t *testing.T) {
			p := Next(c.s)
			got := want{p.Phase, p.Base, p.Beside, p.Injects, names(p.Wave.Restart)}
			if got.phase != c.want.phase || got.base != c.want.base || got.beside != c.want.beside || got.injects != c.want.injects || !slices.Equal(got.restart, c.want.restart) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// gone is when nothing runs beside any more, and its webhook is away.
func gone(s *Situation) { s.Beside, s.Injects = "", "" }

// back is when the old revision runs the mesh's own Deployments again, or still.
func back(s *Situation) { s.Base = "old" }

func TestNothingMovesWhileTheBaselineIsTaken(t *testing.T) {
	s := trial(func(s *Situation) { s.Wanted, s.Injects = "newer", "new" })
	if p := Before(s, "measuring"); p.Phase != CanaryControlPlane || p.Base != "old" || p.Beside != "new" || p.Injects != "" {
		t.Errorf("got %+v: want the webhook of the canary before to go, then its control plane", p)
	}
	s.Injects = ""
	if p := Before(s, "measuring"); p.Beside != "" {
		t.Errorf("got %+v: want the canary before to go", p)
	}
}

func TestACanarySaysWhatItWaitsFor(t *testing.T) {
	for want, s := range map[string]Situation{
		"because of a flag":    trial(func(s *Situation) { s.Refused = "because of a flag" }),
		"canary.namespaces":    trial(func(s *Situation) { s.Chosen = nil }),
		"only after it was tr": trial(func(s *Situation) { s.Injects, s.Limits.Manual = "new", true }),
		"never ready":          trial(func(s *Situation) { s.Verdicts = failed }),
		"not ready":            trial(func(s *Situation) { s.Verdicts = waiting }),
	} {
		if got := Next(s).Waiting; !strings.Contains(got, want) {
			t.Errorf("waits for %q, want %q in it", got, want)
		}
	}
}

// A workload of a namespace counts for what the namespace bears, also when a way back does not concern it.
func TestTheWayBackCountsWhatOthersBroke(t *testing.T) {
	s := trial(gone, func(s *Situation) {
		s.Revisions[1].Rejected = "because"
		s.Workloads = []Workload{
			deployment("a", "x", "new"), deployment("a", "broken", "old", func(w *Workload) { w.Settled = false }),
		}
	})
	if p := Next(s); len(p.Wave.Restart) > 0 || len(p.Wave.Waiting) != 1 {
		t.Errorf("restarts %v beside a workload that is not ready, where one may be", p.Wave.Restart)
	}
}
