package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// lastPod changes a workload to one whose last pod is being replaced, and whose other pod has the new sidecar. It was restarted some time ago.
func lastPod(ago time.Duration) func(*Workload) {
	return func(w *Workload) {
		w.Ref.Kind, w.Sidecars, w.Ready = "StatefulSet", map[string]int{"new": 1}, false
		w.Restart, w.Progressed = Restart{Revision: "new", At: noon.Add(-ago)}, noon.Add(-ago)
	}
}

// A StatefulSet has no additional pod while it is updated: when the last pod with an earlier sidecar ends, none is left that is outdated.
func TestUpgradeWaitsForTheLastPod(t *testing.T) {
	for name, c := range map[string]struct {
		change             []func(*Workload)
		verify, inProgress bool
		blocked            string
	}{
		"its last pod is being replaced":          {[]func(*Workload){lastPod(time.Minute)}, false, true, ""},
		"it is ready":                             {[]func(*Workload){lastPod(time.Minute), func(w *Workload) { w.Ready = true }}, true, false, ""},
		"it is not ready until the timeout":       {[]func(*Workload){lastPod(11 * time.Minute)}, true, false, "its pods are not all ready after 10m0s"},
		"a pod of it became ready meanwhile":      {[]func(*Workload){lastPod(11 * time.Minute), func(w *Workload) { w.Progressed = noon.Add(-time.Minute) }}, false, true, ""},
		"its pods are replaced again and again":   {[]func(*Workload){lastPod(21 * time.Minute), func(w *Workload) { w.Progressed = noon }}, true, false, "after 10m0s"},
		"nobody restarted it":                     {[]func(*Workload){lastPod(time.Minute), func(w *Workload) { w.Restart = Restart{} }}, true, false, ""},
		"its controller waits":                    {[]func(*Workload){lastPod(time.Minute), func(w *Workload) { w.Held = pausedText }}, true, false, ""},
		"its controller does not observe changes": {[]func(*Workload){lastPod(observeTimeout), func(w *Workload) { w.Held, w.Unobserved = "absent", true }}, true, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			load := deployment("a", "x", "new", c.change...)
			s := upgrade(func(s *Situation) {
				s.Workloads, s.Limits.Timeout = []Workload{load, deployment("b", "y", "new")}, 10*time.Minute
			})
			plan := NextPlan(s)
			if plan.Verify != c.verify || slices.Contains(plan.Wave.InProgress, load.Ref) != c.inProgress {
				t.Errorf("verified %t, waiting for %v", plan.Verify, plan.Wave.InProgress)
			}
			if c.blocked == "" != (len(plan.Wave.Blocked) == 0) || c.blocked != "" && !strings.Contains(plan.Wave.Blocked[0].Reason, c.blocked) {
				t.Errorf("the notes are %v, want %q", plan.Wave.Blocked, c.blocked)
			}
			// A mesh that is not upgraded says nothing about pods of workloads that it once restarted.
			s.Revisions[1].Verified = noon
			if wave := NextPlan(s).Wave; len(wave.InProgress)+len(wave.Blocked) > 0 {
				t.Errorf("without an upgrade, the wave is %+v", wave)
			}
		})
	}
}

// A canary is promoted when the last pods of its namespaces are ready.
func TestCanaryWaitsForTheLastPod(t *testing.T) {
	s := canaryUpgrade(func(s *Situation) {
		s.CanaryInjector, s.Workloads = "new", []Workload{deployment("a", "x", "new", lastPod(time.Minute)), deployment("b", "y", "old")}
	})
	if plan := NextPlan(s); plan.Phase != CanaryWorkloads || plan.Active != "old" || len(plan.Wave.InProgress) != 1 {
		t.Errorf("the plan is %+v while the last pod of the canary is replaced", plan)
	}
	s.Workloads[0].Ready = true
	if plan := NextPlan(s); plan.Active != "new" {
		t.Errorf("the plan is %+v after that", plan)
	}
}

// stuck has a sidecar of the earlier version and a new pod that does not become ready, long after its restart.
func stuck(w *Workload) {
	w.Sidecars, w.Ready = map[string]int{"old": 1, "new": 1}, false
	w.Restart, w.Progressed = Restart{Revision: "new", At: noon.Add(-time.Hour)}, noon.Add(-time.Hour)
}

func done(w *Workload) {
	w.Sidecars, w.Restart, w.ReadySince = map[string]int{"new": 2}, Restart{Revision: "new", At: noon.Add(-2 * time.Hour)}, noon.Add(-time.Hour)
}

// Restarted workloads of one namespace that do not become ready stop neither the waves nor the upgrade, once others show that the version works.
func TestOverdueWorkloadsOfOneNamespace(t *testing.T) {
	limits := Limits{MaxUnavailable: intstr.FromString("100%"), MaxConcurrent: 4, Timeout: 10 * time.Minute}
	var tenant []Workload
	for _, name := range []string{"s1", "s2", "s3", "s4"} {
		tenant = append(tenant, deployment("a", name, "", stuck))
	}
	all := []string{"s1", "s2", "s3", "s4"}
	checkWaves(t, map[string]waveCase{
		"before others have shown anything, it uses half of the places": {
			append(slices.Clone(tenant), deployment("b", "x", "old"), deployment("c", "y", "old"), deployment("d", "z", "old")), limits,
			wantWave{restart: []string{"x", "y"}, inProgress: all, waiting: []string{"z"}},
		},
		"after three others, it is not waited for and uses none": {
			append(slices.Clone(tenant), deployment("b", "p", "", done), deployment("c", "q", "", done), deployment("d", "r", "", done),
				deployment("e", "w", "old"), deployment("e", "x", "old"), deployment("e", "y", "old"), deployment("e", "z", "old")), limits,
			wantWave{restart: []string{"w", "x", "y", "z"}, blocked: all},
		},
		"two namespaces use all places": {
			append(slices.Clone(tenant[:3]), deployment("b", "s", "", stuck), deployment("c", "p", "", done), deployment("d", "q", "", done), deployment("e", "r", "", done),
				deployment("f", "x", "old")), limits,
			wantWave{inProgress: []string{"s1", "s2", "s3", "s"}, waiting: []string{"x"}},
		},
		"without a timeout it is waited for": {
			append(slices.Clone(tenant[:1]), deployment("b", "p", "", done), deployment("c", "q", "", done), deployment("d", "r", "", done)),
			Limits{MaxUnavailable: intstr.FromInt32(1)},
			wantWave{inProgress: all[:1]},
		},
	})
}

// broken is not ready for a long time, and nobody restarted it.
func broken(w *Workload) { w.Ready, w.Progressed = false, noon.Add(-time.Hour) }

// Workloads that are broken for a long time keep others of their namespace from being restarted, but not the upgrade of the mesh from its end.
func TestBrokenWorkloadsStopNoUpgrade(t *testing.T) {
	limits := Limits{MaxUnavailable: intstr.FromInt32(1), Timeout: 10 * time.Minute}
	recent := func(w *Workload) { w.Progressed = noon.Add(-time.Minute) }
	two := limits
	two.MaxUnavailable = intstr.FromInt32(2)
	checkWaves(t, map[string]waveCase{
		"one is broken": {
			[]Workload{deployment("a", "broken", "old", broken), deployment("a", "x", "old"), deployment("b", "y", "old")},
			limits,
			wantWave{restart: []string{"y"}, blocked: []string{"broken", "x"}},
		},
		"one is not ready for a short time": {
			[]Workload{deployment("a", "broken", "old", broken, recent), deployment("a", "x", "old")},
			limits,
			wantWave{waiting: []string{"x"}, blocked: []string{"broken"}},
		},
		"one is broken, and another one may be": {
			[]Workload{deployment("a", "broken", "old", broken), deployment("a", "x", "old"), deployment("a", "y", "old")},
			two,
			wantWave{restart: []string{"x"}, waiting: []string{"y"}, blocked: []string{"broken"}},
		},
		"one is overdue after its restart, and not waited for": {
			[]Workload{
				deployment("a", "s", "", stuck), deployment("a", "x", "old"), deployment("b", "p", "", done), deployment("c", "q", "", done), deployment("d", "r", "", done),
			},
			limits,
			wantWave{blocked: []string{"s", "x"}},
		},
		"one is overdue after its restart, and waited for": {
			[]Workload{deployment("a", "s", "", stuck), deployment("a", "x", "old")}, limits, wantWave{inProgress: []string{"s"}, waiting: []string{"x"}},
		},
	})
}
