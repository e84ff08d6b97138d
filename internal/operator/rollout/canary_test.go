package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// canaryUpgrade is a mesh that runs old, with new as a canary for namespace a.
func canaryUpgrade(change ...func(*Situation)) Situation {
	return upgrade(append([]func(*Situation){func(s *Situation) {
		s.Strategy, s.Active, s.Canary, s.CanaryNamespaces = Canary, "old", "new", []string{"a"}
		s.Revisions[1].InjectorReady = true
	}}, change...)...)
}

func TestCanary(t *testing.T) {
	verdicts := func(v []Verdict) func(*Situation) { return func(s *Situation) { s.Verdicts = v } }
	injecting := func(s *Situation) { s.CanaryInjector = "new" }
	promoting := func(s *Situation) { s.Active, s.CanaryInjector = "new", "new" }
	rejected := func(s *Situation) { s.Revisions[1].Rejected = "because" }
	notReady := func(s *Situation) { s.Revisions[1].Serving, s.Revisions[1].InjectorReady = false, false }
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
		phase                    Phase
		active, canary, injector string
		restart                  []string
	}
	for name, c := range map[string]struct {
		s    Situation
		want want
	}{
		"canary starts":                                {canaryUpgrade(func(s *Situation) { s.Canary, s.Verdicts = "", nil }, notReady), want{CanaryControlPlane, "old", "new", "", nil}},
		"waits for canary pods":                        {canaryUpgrade(verdicts(waiting), notReady), want{CanaryControlPlane, "old", "new", "", nil}},
		"soaks before workloads move":                  {canaryUpgrade(verdicts(soaking)), want{CanaryControlPlane, "old", "new", "", nil}},
		"adds the canary webhook":                      {canaryUpgrade(), want{CanaryWorkloads, "old", "new", "new", nil}},
		"restarts workloads in canary namespaces":      {canaryUpgrade(injecting), want{CanaryWorkloads, "old", "new", "new", []string{"x"}}},
		"keeps the webhook while gates wait":           {canaryUpgrade(injecting, verdicts(waiting)), want{CanaryWorkloads, "old", "new", "new", nil}},
		"removes the webhook without a ready injector": {canaryUpgrade(injecting, verdicts(waiting), notReady), want{CanaryWorkloads, "old", "new", "", nil}},
		"keeps the webhook with one ready injector pod": {
			canaryUpgrade(injecting, verdicts(waiting), func(s *Situation) { s.Revisions[1].Serving = false }), want{CanaryWorkloads, "old", "new", "new", nil},
		},
		"soaks after the wave": {canaryUpgrade(injecting, moved("x"), verdicts(soaking)), want{CanaryWorkloads, "old", "new", "new", nil}},
		"promotes the canary":  {canaryUpgrade(injecting, moved("x")), want{ControlPlane, "new", "new", "new", nil}},
		"does not promote without a canary sidecar": {
			canaryUpgrade(injecting, func(s *Situation) { s.Limits.Manual = true }), want{CanaryWorkloads, "old", "new", "new", nil},
		},
		"keeps the canary until the active control plane is serving": {
			canaryUpgrade(promoting, moved("x"), verdicts(waiting), func(s *Situation) { s.Revisions[1].Serving = false }),
			want{ControlPlane, "new", "new", "new", nil},
		},
		"keeps the canary until the gates pass":                     {canaryUpgrade(promoting, moved("x"), verdicts(waiting)), want{ControlPlane, "new", "new", "new", nil}},
		"removes the webhook after the promotion":                   {canaryUpgrade(promoting, moved("x"), verdicts(soaking)), want{ControlPlane, "new", "new", "", nil}},
		"removes the canary after its webhook":                      {canaryUpgrade(promoting, moved("x"), verdicts(soaking), func(s *Situation) { s.CanaryInjector = "" }), want{ControlPlane, "new", "", "", nil}},
		"restarts no other workloads before the webhook is removed": {canaryUpgrade(promoting, moved("x"), func(s *Situation) { s.Canary = "" }), want{ControlPlane, "new", "", "", nil}},
		"soaks after the promotion":                                 {canaryUpgrade(promoting, moved("x"), verdicts(soaking), canaryRemoved, func(s *Situation) { s.ReadySince = noon }), want{ControlPlane, "new", "", "", nil}},
		"restarts the other workloads":                              {canaryUpgrade(promoting, moved("x"), canaryRemoved), want{Workloads, "new", "", "", []string{"y"}}},
		"verifies the revision":                                     {canaryUpgrade(promoting, moved("x", "y"), canaryRemoved), want{Idle, "new", "", "", nil}},
		"rolls back before workloads moved":                         {canaryUpgrade(verdicts(failed)), want{RollingBack, "old", "", "", nil}},
		"rollback removes the webhook first":                        {canaryUpgrade(injecting, moved("x"), verdicts(failed)), want{RollingBack, "old", "new", "", nil}},
		"rollback removes the canary after its webhook":             {canaryUpgrade(rejected, moved("x"), func(s *Situation) { s.CanaryInjector = "" }), want{RollingBack, "old", "", "", nil}},
		"rollback restarts the moved workloads":                     {canaryUpgrade(rejected, moved("x"), canaryRemoved, oldActive), want{RollingBack, "old", "", "", []string{"x"}}},
		"rollback completes":                                        {canaryUpgrade(rejected, canaryRemoved, oldActive), want{RolledBack, "old", "", "", nil}},
		"rolls back during the promotion":                           {canaryUpgrade(promoting, moved("x"), verdicts(failed)), want{RollingBack, "old", "new", "", nil}},
		"halts without automatic rollback":                          {canaryUpgrade(injecting, verdicts(failed), func(s *Situation) { s.AutomaticRollback = false }), want{Halted, "old", "new", "new", nil}},
		"halts and removes the webhook without a ready injector": {
			canaryUpgrade(injecting, verdicts(failed), notReady, func(s *Situation) { s.AutomaticRollback = false }), want{Halted, "old", "new", "", nil},
		},
		"halts when the version cannot be a canary":              {canaryUpgrade(canaryRemoved, func(s *Situation) { s.CanaryUnsupported = "too old" }), want{Halted, "old", "", "", nil}},
		"halts without canary namespaces":                        {canaryUpgrade(func(s *Situation) { s.Canary, s.CanaryNamespaces = "", nil }), want{Halted, "old", "", "", nil}},
		"removes the webhook when no namespace matches any more": {canaryUpgrade(injecting, func(s *Situation) { s.CanaryNamespaces = nil }), want{Halted, "old", "new", "", nil}},
		"strategy changes to InPlace":                            {canaryUpgrade(injecting, moved("x"), func(s *Situation) { s.Strategy, s.CanaryNamespaces = InPlace, nil }), want{ControlPlane, "new", "new", "", nil}},
		"user returns to the active version":                     {canaryUpgrade(injecting, moved("x"), func(s *Situation) { s.Desired = "old" }), want{Idle, "old", "new", "", nil}},
		"user changes to another version":                        {canaryUpgrade(injecting, func(s *Situation) { s.Desired, s.Verdicts = "newer", nil }), want{CanaryControlPlane, "old", "new", "", nil}},
		"first installation":                                     {canaryUpgrade(canaryRemoved, func(s *Situation) { s.Revisions, s.Active = s.Revisions[1:], "" }), want{Installing, "new", "", "", nil}},
	} {
		t.Run(name, func(t *testing.T) {
			p := NextPlan(c.s)
			got := want{p.Phase, p.Active, p.Canary, p.CanaryInjector, names(p.Wave.Restart)}
			if got.phase != c.want.phase || got.active != c.want.active || got.canary != c.want.canary || got.injector != c.want.injector || !slices.Equal(got.restart, c.want.restart) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// canaryRemoved removes the canary and its webhook.
func canaryRemoved(s *Situation) { s.Canary, s.CanaryInjector = "", "" }

// oldActive makes the old revision run the mesh's own Deployments.
func oldActive(s *Situation) { s.Active = "old" }

func TestWaitingPlan_RemovesTheEarlierCanary(t *testing.T) {
	s := canaryUpgrade(func(s *Situation) { s.Desired, s.CanaryInjector = "newer", "new" })
	if p := WaitingPlan(s, "measuring"); p.Phase != CanaryControlPlane || p.Active != "old" || p.Canary != "new" || p.CanaryInjector != "" {
		t.Errorf("got %+v: want the webhook of the earlier canary to be removed before its control plane", p)
	}
	s.CanaryInjector = ""
	if p := WaitingPlan(s, "measuring"); p.Canary != "" {
		t.Errorf("got %+v: want the earlier canary to be removed", p)
	}
}

func TestCanary_WaitingMessage(t *testing.T) {
	for want, s := range map[string]Situation{
		"because of a flag":        canaryUpgrade(func(s *Situation) { s.CanaryUnsupported = "because of a flag" }),
		"canary.namespaceSelector": canaryUpgrade(func(s *Situation) { s.CanaryNamespaces = nil }),
		"only after it has served": canaryUpgrade(func(s *Situation) { s.CanaryInjector, s.Limits.Manual = "new", true }),
		"never ready":              canaryUpgrade(func(s *Situation) { s.Verdicts = failed }),
		"not ready":                canaryUpgrade(func(s *Situation) { s.Verdicts = waiting }),
	} {
		if got := NextPlan(s).Waiting; !strings.Contains(got, want) {
			t.Errorf("waiting message %q does not contain %q", got, want)
		}
	}
}

// A workload that is not ready counts against maxUnavailable, even if the rollback does not include it.
func TestRollback_CountsExcludedWorkloads(t *testing.T) {
	s := canaryUpgrade(canaryRemoved, func(s *Situation) {
		s.Revisions[1].Rejected = "because"
		s.Workloads = []Workload{
			deployment("a", "x", "new"), deployment("a", "broken", "old", func(w *Workload) { w.Ready = false }),
		}
	})
	if p := NextPlan(s); len(p.Wave.Restart) > 0 || len(p.Wave.Waiting) != 1 {
		t.Errorf("restarts %v, although another workload is not ready and maxUnavailable is 1", p.Wave.Restart)
	}
}
