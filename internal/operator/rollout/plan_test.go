package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// moving changes the workloads with the names to sidecars of a revision, as restarts for it do.
func moving(revision string, load ...string) func(*Situation) {
	return func(s *Situation) {
		for i := range s.Workloads {
			if w := &s.Workloads[i]; slices.Contains(load, w.Ref.Name) {
				w.Sidecars, w.Restart = map[string]int{revision: 2}, Restart{Revision: revision, At: noon.Add(-time.Minute)}
			}
		}
	}
}

// TestNextPlan_Waiting checks what a plan waits for.
func TestNextPlan_Waiting(t *testing.T) {
	verdicts := func(v []Verdict) func(*Situation) { return func(s *Situation) { s.Verdicts = v } }
	for want, s := range map[string]Situation{
		"ReplicasReady: not ready; Soaked: soak": upgrade(verdicts(waiting), func(s *Situation) { s.Active = "old" }),
		"Soaked: soak":                           upgrade(verdicts(soaking)),
		"the injector of the canary does not serve the canary namespaces yet": canaryUpgrade(),
		"": upgrade(verdicts(soaking), func(s *Situation) { s.Revisions = s.Revisions[1:] }),
	} {
		if got := NextPlan(s).Waiting; got != want {
			t.Errorf("the plan waits for %q, want %q", got, want)
		}
	}
}

// TestNextPlan_Installation checks that the first revision is verified as soon as its own pods are ready.
func TestNextPlan_Installation(t *testing.T) {
	alone := func(s *Situation) { s.Revisions, s.Workloads = s.Revisions[1:], nil }
	ready, unready := Verdict{"ReplicasReady", Passed, ""}, Verdict{"ReplicasReady", Waiting, ""}
	other := Verdict{"ErrorRate", Passed, ""}
	for name, test := range map[string]struct {
		verdicts []Verdict
		active   string
		want     bool
	}{
		"ready":                                {[]Verdict{ready}, "new", true},
		"another gate has passed":              {[]Verdict{unready, other}, "new", false},
		"no gate is known":                     {nil, "new", false},
		"the Deployments are not replaced yet": {[]Verdict{ready}, "", false},
	} {
		s := upgrade(alone, func(s *Situation) { s.Verdicts, s.Active = test.verdicts, test.active })
		if got := NextPlan(s).Verify; got != test.want {
			t.Errorf("%s: the revision is verified: %t, want %t", name, got, test.want)
		}
	}
}

// TestNextPlan_Retires checks that an idle mesh retires all other revisions, sorted, but none that still runs.
func TestNextPlan_Retires(t *testing.T) {
	verified := func(s *Situation) {
		s.Revisions[1].Verified = noon
		s.Revisions = append(s.Revisions, Revision{Name: "ancient"})
	}
	allMoved := func(s *Situation) {
		for i := range s.Workloads {
			s.Workloads[i].Sidecars = map[string]int{"new": 1}
		}
	}
	for name, test := range map[string]struct {
		change func(*Situation)
		want   []string
	}{
		"all workloads have moved":          {allMoved, []string{"ancient", "old"}},
		"some workloads have not":           {func(*Situation) {}, []string{"ancient"}},
		"some have not for a week":          {func(s *Situation) { s.Revisions[1].Verified = noon.Add(-keepEarlier) }, []string{"ancient", "old"}},
		"another revision still runs":       {func(s *Situation) { s.Active = "old" }, nil},
		"a canary still serves namespaces":  {func(s *Situation) { s.Canary, s.CanaryInjector = "ancient", "ancient"; allMoved(s) }, []string{"old"}},
		"a canary whose webhook is removed": {func(s *Situation) { s.Canary = "ancient"; allMoved(s) }, []string{"ancient", "old"}},
	} {
		if got := NextPlan(upgrade(verified, test.change)).Retire; !slices.Equal(got, test.want) {
			t.Errorf("%s: retires %v, want %v", name, got, test.want)
		}
	}
	p := NextPlan(upgrade(verified, func(s *Situation) { s.Active = "old" }))
	if p.Phase != Idle || len(p.Wave.Restart) > 0 {
		t.Errorf("while another revision runs the mesh: %s, restarts %v, want Idle without restarts", p.Phase, p.Wave.Restart)
	}
}

// TestNextPlan_RollbackSelectsWorkloads checks which workloads a rollback restarts.
func TestNextPlan_RollbackSelectsWorkloads(t *testing.T) {
	rejected := func(s *Situation) { s.Revisions[1].Rejected, s.Active, s.Limits.Manual = "because", "old", true }
	s := upgrade(rejected, func(s *Situation) {
		s.Workloads = []Workload{
			deployment("a", "moved", "new", func(w *Workload) { w.Restart.Revision = "new" }),
			deployment("b", "ancient", "ancient"),
			deployment("c", "half", "new", func(w *Workload) { w.Sidecars = map[string]int{"old": 1, "new": 1} }),
			deployment("d", "returned", "ancient", func(w *Workload) { w.Restart = Restart{Revision: "old", At: noon.Add(-time.Hour)} }),
			deployment("e", "gone", "ancient", func(w *Workload) { w.Sidecars = map[string]int{"ancient": 1, "new": 0} }),
		}
	})
	if got, want := names(NextPlan(s).Wave.Restart), []string{"moved", "half", "returned"}; !slices.Equal(got, want) {
		t.Errorf("the rollback restarts %v, want %v", got, want)
	}
	s.Revisions[0].Serving = false
	if got := NextPlan(s); len(got.Wave.Restart) > 0 || got.Phase != RollingBack {
		t.Errorf("while the good revision does not serve: %s, restarts %v, want RollingBack without restarts", got.Phase, names(got.Wave.Restart))
	}
	s.Revisions[0].Serving, s.CanaryInjector = true, "older"
	if got := NextPlan(s); len(got.Wave.Restart) > 0 {
		t.Errorf("while the injector of another canary serves namespaces, the rollback restarts %v", names(got.Wave.Restart))
	}
}

// TestNextPlan_GatesOfWorkloads checks which restarts replace the soak, and which ones begin the phase of workloads.
func TestNextPlan_GatesOfWorkloads(t *testing.T) {
	unknown := func(s *Situation) { s.Verdicts = nil }
	soak := func(s *Situation) { s.Verdicts = soaking }
	for name, test := range map[string]struct {
		s    Situation
		want Phase
		more []string
	}{
		"a restart for another revision": {upgrade(soak, moving("old", "x")), ControlPlane, nil},
		"before the control plane is ready": {
			upgrade(soak, moving("new", "x"), func(s *Situation) { s.ReadySince = time.Time{} }), Workloads, nil,
		},
		"no gate is known":                 {upgrade(unknown, moving("new", "x")), Workloads, nil},
		"a canary restarted its own ones":  {canaryUpgrade(canaryRemoved, soak, moving("new", "x"), func(s *Situation) { s.Active, s.ReadySince = "new", noon }), ControlPlane, nil},
		"a canary restarted another one":   {canaryUpgrade(canaryRemoved, soak, moving("new", "y"), func(s *Situation) { s.Active, s.ReadySince = "new", noon }), Workloads, nil},
		"in place, in a canary namespace":  {upgrade(soak, moving("new", "x"), func(s *Situation) { s.CanaryNamespaces, s.ReadySince = []string{"a"}, noon }), Workloads, nil},
		"the soak counts for the last one": {upgrade(soak, moving("new", "x", "y")), Workloads, nil},
	} {
		p := NextPlan(test.s)
		if p.Phase != test.want || !slices.Equal(names(p.Wave.Restart), test.more) {
			t.Errorf("%s: %s, restarts %v; want %s, restarts %v", name, p.Phase, names(p.Wave.Restart), test.want, test.more)
		}
	}
}

// TestCanary_Transitions checks plans of a canary at moments in which one of its parts is missing.
func TestCanary_Transitions(t *testing.T) {
	promoting := func(s *Situation) { s.Active, s.CanaryInjector = "new", "new" }
	unsupported := func(s *Situation) { s.CanaryUnsupported = "because of a flag" }
	for name, test := range map[string]struct {
		s                        Situation
		phase                    Phase
		active, canary, injector string
	}{
		"workloads moved, and its webhook is gone": {
			canaryUpgrade(moving("new", "x"), func(s *Situation) { s.Verdicts = waiting }), CanaryWorkloads, "old", "new", "",
		},
		"another revision is active": {canaryUpgrade(func(s *Situation) { s.Active = "older" }), CanaryControlPlane, "old", "new", ""},
		"another canary":             {canaryUpgrade(func(s *Situation) { s.Canary = "older" }), CanaryControlPlane, "old", "new", ""},
		"its wave is not done":       {canaryUpgrade(func(s *Situation) { s.CanaryInjector = "new" }), CanaryWorkloads, "old", "new", "new"},
		"its wave is not done, and one workload moved": {
			canaryUpgrade(moving("new", "x"), func(s *Situation) {
				s.CanaryInjector, s.Workloads = "new", append(s.Workloads, deployment("a", "z", "old"))
			}), CanaryWorkloads, "old", "new", "new",
		},
		"without namespaces, it stays":          {canaryUpgrade(func(s *Situation) { s.CanaryNamespaces = nil }), Halted, "old", "new", ""},
		"without namespaces, another canary":    {canaryUpgrade(func(s *Situation) { s.CanaryNamespaces, s.Canary = nil, "older" }), Halted, "old", "", ""},
		"unsupported":                           {canaryUpgrade(unsupported), Halted, "old", "", ""},
		"its sidecars are in another namespace": {canaryUpgrade(func(s *Situation) { s.CanaryInjector = "new" }, moving("new", "y"), func(s *Situation) { s.Workloads = s.Workloads[1:] }), CanaryWorkloads, "old", "new", "new"},
		"promotion, with the old one active":    {canaryUpgrade(promoting, func(s *Situation) { s.Strategy, s.Active = InPlace, "old" }), ControlPlane, "new", "new", "new"},
		"promotion, and it does not serve":      {canaryUpgrade(promoting, func(s *Situation) { s.Revisions[1].Serving = false }), ControlPlane, "new", "new", "new"},
		"webhook of a canary that does not run": {canaryUpgrade(promoting, func(s *Situation) {
			s.Strategy, s.Active, s.Canary, s.AutomaticRollback, s.Verdicts = InPlace, "old", "older", false, failed
		}), Halted, "old", "", ""},
		"failed in place, with no canary at all": {upgrade(func(s *Situation) { s.AutomaticRollback, s.Verdicts = false, failed }), Halted, "new", "", ""},
	} {
		p := NextPlan(test.s)
		if p.Phase != test.phase || p.Active != test.active || p.Canary != test.canary || p.CanaryInjector != test.injector {
			t.Errorf("%s: %s, active %q, canary %q, injector %q; want %s, %q, %q, %q", name, p.Phase, p.Active, p.Canary, p.CanaryInjector,
				test.phase, test.active, test.canary, test.injector)
		}
	}
	if got := NextPlan(canaryUpgrade(unsupported)).Waiting; !strings.Contains(got, "because of a flag") {
		t.Errorf("an unsupported canary waits for %q, want the reason", got)
	}
}

// TestLastGood checks which revision a rollback returns to.
func TestLastGood(t *testing.T) {
	s := Situation{Desired: "new", Revisions: []Revision{
		{Name: "older", Verified: noon.Add(-time.Hour)}, {Name: "old", Verified: noon.Add(-time.Minute)}, {Name: "new", Verified: noon}, {Name: "never"},
	}}
	if got := s.lastGood(); got != "old" {
		t.Errorf("the last good revision is %q, want old: the latest verified one, except the desired one", got)
	}
}

// TestWaitingPlan_Phases checks the phase while a precondition is missing.
func TestWaitingPlan_Phases(t *testing.T) {
	for strategy, want := range map[Strategy]Phase{InPlace: ControlPlane, Canary: CanaryControlPlane} {
		if p := WaitingPlan(upgrade(func(s *Situation) { s.Strategy = strategy }), "measuring"); p.Phase != want || p.Waiting != "measuring" {
			t.Errorf("%s: the phase is %s, waiting for %q, want %s, waiting for measuring", strategy, p.Phase, p.Waiting, want)
		}
	}
}

func TestWave_Done(t *testing.T) {
	refs := []Ref{{Name: "x"}}
	for name, test := range map[string]struct {
		wave Wave
		want bool
	}{
		"empty":       {Wave{}, true},
		"restarts":    {Wave{Restart: refs}, false},
		"in progress": {Wave{InProgress: refs}, false},
		"waiting":     {Wave{Waiting: []Note{{}}}, false},
		"blocked":     {Wave{Blocked: []Note{{}}, Manual: []Note{{}}, Retry: refs}, true},
	} {
		if got := test.wave.Done(); got != test.want {
			t.Errorf("%s: the wave is done: %t, want %t", name, got, test.want)
		}
	}
}
