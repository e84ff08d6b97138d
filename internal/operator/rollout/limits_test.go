package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// kind changes the kind of a workload.
func kind(k string) func(*Workload) { return func(w *Workload) { w.Ref.Kind = k } }

// TestNextWave_Sidecars checks which workloads have outdated sidecars, and which ones can be restarted.
func TestNextWave_Sidecars(t *testing.T) {
	counted := func(sidecars map[string]int) func(*Workload) { return func(w *Workload) { w.Sidecars = sidecars } }
	checkWaves(t, map[string]waveCase{
		"StatefulSets and DaemonSets are restarted": {
			[]Workload{deployment("a", "x", "old", kind("StatefulSet")), deployment("b", "y", "old", kind("DaemonSet"))}, one, wantWave{restart: []string{"x", "y"}},
		},
		"no pod has the outdated sidecar any more": {[]Workload{deployment("a", "x", "", counted(map[string]int{"old": 0, "new": 1}))}, one, wantWave{}},
		"no pod has a sidecar, and the rollout is incomplete": {
			[]Workload{deployment("a", "x", "", counted(map[string]int{"old": 0}), restarted, notReady)}, one, wantWave{inProgress: []string{"x"}},
		},
		"a Job that is not ready neither blocks nor counts": {
			[]Workload{deployment("a", "x", "new", kind("Job"), restarted, notReady), deployment("a", "y", "old")},
			Limits{MaxUnavailable: intstr.FromInt32(1), MaxConcurrent: 1},
			wantWave{restart: []string{"y"}},
		},
		"a Job does not count for a percentage": {
			[]Workload{deployment("a", "j", "new", kind("Job")), deployment("a", "x", "old"), deployment("a", "y", "old")},
			Limits{MaxUnavailable: intstr.FromString("50%")},
			wantWave{restart: []string{"x"}, waiting: []string{"y"}},
		},
		"an invalid limit counts as one": {
			[]Workload{deployment("a", "x", "old"), deployment("a", "y", "old")},
			Limits{MaxUnavailable: intstr.FromString("many")},
			wantWave{restart: []string{"x"}, waiting: []string{"y"}},
		},
		"a retry for another revision counts for nothing": {
			[]Workload{deployment("a", "x", "old", func(w *Workload) { w.Restart = Restart{Revision: "other", At: noon, Retry: true} })},
			one,
			wantWave{restart: []string{"x"}},
		},
		"the confirmation delay has just passed": {
			[]Workload{deployment("a", "x", "old", func(w *Workload) { w.Restart = Restart{Revision: "new", At: noon.Add(-confirmationDelay)} })},
			one,
			wantWave{restart: []string{"x"}},
		},
	})
}

// TestNextWave_Pause checks from which moment the pause of a namespace counts.
func TestNextWave_Pause(t *testing.T) {
	paused := Limits{MaxUnavailable: intstr.FromInt32(1), Pause: time.Minute}
	ready := func(since time.Duration) func(*Workload) {
		return func(w *Workload) { w.Restart.Revision, w.ReadySince = "new", noon.Add(-since) }
	}
	checkWaves(t, map[string]waveCase{
		"the last restart counts, not the last by name": {
			[]Workload{deployment("a", "x", "new", ready(time.Second)), deployment("a", "y", "new", ready(time.Hour)), deployment("a", "z", "old")},
			paused,
			wantWave{waiting: []string{"z"}},
		},
		"a workload that the operator did not restart does not count": {
			[]Workload{deployment("a", "x", "new", func(w *Workload) { w.ReadySince = noon }), deployment("a", "y", "old")}, paused, wantWave{restart: []string{"y"}},
		},
		"the pause has just passed": {[]Workload{deployment("a", "x", "new", ready(time.Minute)), deployment("a", "y", "old")}, paused, wantWave{restart: []string{"y"}}},
	})
}

// TestNextWave_RequeuesForTheEarliest checks that the wave is computed again for the first of several waits.
func TestNextWave_RequeuesForTheEarliest(t *testing.T) {
	waits := func(namespace string, ago time.Duration) Workload {
		return deployment(namespace, "x", "old", func(w *Workload) { w.Restart = Restart{Revision: "new", At: noon.Add(-ago)} })
	}
	for _, workloads := range [][]Workload{
		{waits("a", 2*time.Second), waits("b", 7*time.Second)},
		{waits("a", 7*time.Second), waits("b", 2*time.Second)},
	} {
		if got := NextWave(workloads, "new", one, noon).RequeueAfter; got != 3*time.Second {
			t.Errorf("the wave is computed again after %s, want 3s", got)
		}
	}
}

// TestNextWave_IsSorted checks that the order of the observed workloads has no effect.
func TestNextWave_IsSorted(t *testing.T) {
	opted := func(w *Workload) { w.OptedOut = true }
	blocked := func(w *Workload) { w.Blocked = "budget" }
	var workloads []Workload
	for _, name := range []string{"b", "a"} {
		for _, k := range []string{"StatefulSet", "Deployment"} {
			workloads = append(workloads,
				deployment("n", "restart-"+name, "old", kind(k)), deployment("n", "manual-"+name, "old", kind(k), opted),
				deployment("n", "blocked-"+name, "old", kind(k), blocked), deployment("n", "denied-"+name, "old", kind(k)),
				deployment("n", "progress-"+name, "old", kind(k), restarted, notReady),
				deployment("n", "later-"+name, "old", kind(k), func(w *Workload) { w.Restart = Restart{Revision: "new", At: noon} }))
		}
	}
	limits := Limits{MaxUnavailable: intstr.FromInt32(20), Denied: func(ref Ref, _ string) (string, bool) {
		return map[bool]string{true: "frozen"}[ref.Name == "denied-a" || ref.Name == "denied-b"], true
	}}
	wave := NextWave(workloads, "new", limits, noon)
	both := func(name string) []string { return []string{name + "-a", name + "-b", name + "-a", name + "-b"} }
	got := [][]string{names(wave.Restart), names(wave.InProgress), names(wave.Retry), namesOfNotes(wave.Waiting), namesOfNotes(wave.Manual)}
	want := [][]string{both("restart"), both("progress"), both("denied"), both("later"), both("manual")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("restarts, restarts in progress, retries, waiting and manual ones (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"blocked-a", "blocked-b", "denied-a", "denied-b", "blocked-a", "blocked-b", "denied-a", "denied-b"}, namesOfNotes(wave.Blocked)); diff != "" {
		t.Errorf("blocked ones (-want +got):\n%s", diff)
	}
}

// TestNextWave_SortsListsWithSeveralReasons checks the order of workloads that are restarted, or wait, for different reasons.
func TestNextWave_SortsListsWithSeveralReasons(t *testing.T) {
	bad := func(w *Workload) { w.Restart.Revision = "bad" }
	later := func(w *Workload) { w.Restart = Restart{Revision: "new", At: noon} }
	checkWaves(t, map[string]waveCase{
		"an urgent restart and another one": {
			[]Workload{deployment("a", "y", "bad", bad, notReady), deployment("a", "x", "old"), deployment("b", "z", "old")},
			Limits{MaxUnavailable: intstr.FromInt32(2), RejectedRevision: "bad"},
			wantWave{restart: []string{"x", "y", "z"}},
		},
		"a confirmation and a limit": {
			[]Workload{deployment("a", "z", "old", later), deployment("a", "y", "old"), deployment("a", "x", "old")},
			one,
			wantWave{restart: []string{"x"}, waiting: []string{"y", "z"}},
		},
	})
}

// TestNextWave_Retries checks when a denied restart is tried again.
func TestNextWave_Retries(t *testing.T) {
	denied := func(w *Workload) { w.Ref.Name = "denied-" + w.Ref.Name }
	base := Limits{MaxUnavailable: intstr.FromInt32(1), Denied: func(ref Ref, _ string) (string, bool) {
		return map[bool]string{true: "frozen"}[ref.Name != "free"], true
	}}
	with := func(change func(*Limits)) Limits { l := base; change(&l); return l }
	bad := func(w *Workload) { w.Restart.Revision = "bad" }
	for name, test := range map[string]struct {
		load   []Workload
		limits Limits
		want   []string
	}{
		"ready":                    {[]Workload{deployment("a", "x", "old", denied)}, base, []string{"denied-x"}},
		"not ready":                {[]Workload{deployment("a", "x", "old", denied, notReady)}, with(func(l *Limits) { l.MaxUnavailable = intstr.FromInt32(2) }), nil},
		"with a disruption budget": {[]Workload{deployment("a", "x", "old", denied, func(w *Workload) { w.Blocked = "budget" })}, base, nil},
		"room for one":             {[]Workload{deployment("a", "x", "old", denied), deployment("a", "y", "old", denied)}, base, []string{"denied-x"}},
		"during the pause": {
			[]Workload{deployment("a", "free", "new", func(w *Workload) { w.Restart.Revision, w.ReadySince = "new", noon }), deployment("a", "x", "old", denied)},
			with(func(l *Limits) { l.Pause = time.Minute }), nil,
		},
		"at the end of the pause": {
			[]Workload{deployment("a", "free", "new", func(w *Workload) { w.Restart.Revision, w.ReadySince = "new", noon.Add(-time.Minute) }), deployment("a", "x", "old", denied)},
			with(func(l *Limits) { l.Pause = time.Minute }),
			[]string{"denied-x"},
		},
		"not ready because of the rejected revision": {
			[]Workload{deployment("a", "x", "bad", denied, notReady, bad)}, with(func(l *Limits) { l.RejectedRevision = "bad" }), []string{"denied-x"},
		},
		"not ready, and another revision was rejected": {[]Workload{deployment("a", "x", "old", denied, notReady)}, with(func(l *Limits) { l.RejectedRevision = "bad" }), nil},
		"ready with the rejected revision, without room": {
			[]Workload{deployment("a", "free", "new", notReady), deployment("a", "x", "bad", denied, bad)}, with(func(l *Limits) { l.RejectedRevision = "bad" }), nil,
		},
	} {
		if diff := cmp.Diff(test.want, names(NextWave(test.load, "new", test.limits, noon).Retry)); diff != "" {
			t.Errorf("%s: retries (-want +got):\n%s", name, diff)
		}
	}
}
