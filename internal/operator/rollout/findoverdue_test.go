package rollout

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// TestWhoShowsThatTheVersionWorks has an overdue workload in the namespace a, and others in b, c and d.
func TestWhoShowsThatTheVersionWorks(t *testing.T) {
	recently := func(w *Workload) { w.Ready, w.Restart.At = false, noon.Add(-time.Minute) }
	three := func(last ...func(*Workload)) []Workload {
		return []Workload{deployment("b", "p", "", done), deployment("c", "q", "", done), deployment("d", "r", "", append([]func(*Workload){done}, last...)...)}
	}
	for name, test := range map[string]struct {
		others []Workload
		want   bool
	}{
		"ready after their restarts":           {three(), true},
		"one is not ready":                     {three(recently), false},
		"one has an outdated sidecar":          {three(func(w *Workload) { w.Sidecars = map[string]int{"old": 1, "new": 1} }), false},
		"one was not restarted":                {three(func(w *Workload) { w.Restart = Restart{} }), false},
		"one of them is in the same namespace": {three(func(w *Workload) { w.Ref.Namespace = "a" }), false},
	} {
		found := findOverdue(append(test.others, deployment("a", "s", "", stuck)), "new", Limits{Timeout: 10 * time.Minute}, noon)
		if len(found.refs) != 1 || found.excused != test.want {
			t.Errorf("%s: excused is %t of %v, want %t", name, found.excused, found.refs, test.want)
		}
	}
}

// TestWorkloadIsOverdue has a workload of two pods that was restarted and is not ready.
func TestWorkloadIsOverdue(t *testing.T) {
	const timeout = 10 * time.Minute
	for name, test := range map[string]struct {
		restart, progress time.Duration
		want              bool
	}{
		"at the timeout":                    {timeout, timeout, false},
		"after the timeout":                 {timeout + 1, timeout + 1, true},
		"progress before the restart":       {time.Minute, time.Hour, false},
		"at the timeout of all its pods":    {3 * timeout, time.Minute, false},
		"after the timeouts of all of them": {3*timeout + 1, time.Minute, true},
	} {
		w := deployment("a", "x", "new", notReady, func(w *Workload) {
			w.Restart, w.Progressed = Restart{Revision: "new", At: noon.Add(-test.restart)}, noon.Add(-test.progress)
		})
		if got := w.isOverdue("new", timeout, noon); got != test.want {
			t.Errorf("%s: overdue is %t", name, got)
		}
	}
}

// TestRoomOfANamespace has a workload x, for which the namespace has no room because of another workload. It waits for one for which the upgrade waits.
func TestRoomOfANamespace(t *testing.T) {
	limits := Limits{MaxUnavailable: intstr.FromInt32(1), Timeout: 10 * time.Minute}
	await := limits
	await.AwaitLast = true
	three := []Workload{deployment("b", "p", "", done), deployment("c", "q", "", done), deployment("d", "r", "", done)}
	x := deployment("a", "x", "old")
	since := func(d time.Duration) func(*Workload) { return func(w *Workload) { w.Progressed = noon.Add(-d) } }
	moved := func(w *Workload) { w.Sidecars = map[string]int{"new": 2} }
	checkWaves(t, map[string]waveCase{
		"not ready at the timeout":          {[]Workload{deployment("a", "s", "old", notReady, since(limits.Timeout)), x}, limits, wantWave{blocked: []string{"s"}, waiting: []string{"x"}}},
		"its controller waits":              {append(slices.Clone(three), deployment("a", "s", "", stuck, func(w *Workload) { w.Held = pausedText }), x), limits, wantWave{blocked: []string{"s", "x"}}},
		"restarted, with new sidecars":      {[]Workload{deployment("a", "s", "", restarted, notReady, moved), x}, limits, wantWave{waiting: []string{"x"}}},
		"overdue, with new sidecars":        {[]Workload{deployment("a", "s", "", stuck, moved), x}, await, wantWave{blocked: []string{"s", "x"}}},
		"overdue, with an outdated sidecar": {[]Workload{deployment("a", "s", "", stuck), x}, await, wantWave{inProgress: []string{"s"}, waiting: []string{"x"}}},
	})
	if wave := NextWave([]Workload{deployment("a", "s", "old", broken), x}, "new", limits, noon); wave.RequeueAfter != blockedRetry {
		t.Errorf("without room, the wave is computed again after %s", wave.RequeueAfter)
	}
	begun := slotted("a", "s", handingOver)
	begun.Progressed = hourAgo
	inPlace := inPlace()
	inPlace.Timeout = limits.Timeout
	if wave := NextWave([]Workload{begun, slotted("a", "x", outdatedPod)}, "new", inPlace, noon); len(wave.Waiting) != 1 || len(wave.Blocked) > 0 {
		t.Errorf("while a ready workload is upgraded in place, the wave is %+v", wave)
	}
}

// The last pods of workloads that an upgrade leaves out are not waited for.
func TestLastPodOfAnExcludedWorkload(t *testing.T) {
	limits := Limits{MaxUnavailable: intstr.FromInt32(1), AwaitLast: true, Include: func(w Workload) bool { return w.Ref.Name != "x" }}
	checkWaves(t, map[string]waveCase{
		"excluded": {[]Workload{deployment("a", "x", "new", lastPod(time.Minute))}, limits, wantWave{}},
		"included": {[]Workload{deployment("a", "y", "new", lastPod(time.Minute))}, limits, wantWave{inProgress: []string{"y"}}},
	})
}

func TestReadyWorkloadIsNeitherMissedNorAbandoned(t *testing.T) {
	w := deployment("a", "x", "old", func(w *Workload) {
		w.Unobserved, w.Restart = true, Restart{Revision: "new", At: noon.Add(-observeTimeout)}
	})
	if w.isMissed(noon) || w.isAbandoned(noon) {
		t.Errorf("missed is %t, abandoned is %t", w.isMissed(noon), w.isAbandoned(noon))
	}
	w.Ready = false
	if !w.isMissed(noon) || !w.isAbandoned(noon) {
		t.Errorf("unless it is ready, missed is %t and abandoned is %t", w.isMissed(noon), w.isAbandoned(noon))
	}
}
