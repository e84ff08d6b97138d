package rollout

import (
	"strings"
	"testing"
	"time"
)

const pausedText = "its phase is Paused: its sidecars are upgraded when it is Healthy"

func held(w *Workload) { w.Ready, w.Held = false, pausedText }

func abandoned(w *Workload) {
	w.Ready, w.Held, w.Unobserved = false, "its controller is absent", true
	w.Restart = Restart{Revision: "new", At: noon.Add(-observeTimeout), Retry: true}
}

// missed changes a workload to one whose controller has not observed its first restart for some time.
func missed(ago time.Duration) func(*Workload) {
	return func(w *Workload) { w.Restart = Restart{Revision: "new", At: noon.Add(-ago)} }
}

func TestNextWave_OfHeldWorkloads(t *testing.T) {
	checkWaves(t, map[string]waveCase{
		"a paused application does not hold up the others": {
			[]Workload{deployment("a", "paused", "old", held), deployment("a", "x", "old")}, one, wantWave{restart: []string{"x"}, blocked: []string{"paused"}},
		},
		"one with a partition in the middle of an update neither": {
			[]Workload{deployment("a", "parted", "old", held, func(w *Workload) { w.OnDelete = true }), deployment("a", "x", "old")},
			one,
			wantWave{restart: []string{"x"}, manual: []string{"parted"}},
		},
		"a restart that nobody notices does not hold up the others": {
			[]Workload{deployment("a", "lost", "old", abandoned), deployment("a", "x", "old")},
			Limits{MaxUnavailable: one.MaxUnavailable, MaxConcurrent: 1},
			wantWave{restart: []string{"x"}, blocked: []string{"lost"}},
		},
		"a restart that was just made is waited for": {
			[]Workload{deployment("a", "late", "old", abandoned, func(w *Workload) { w.Restart.At = noon.Add(time.Second - observeTimeout) }), deployment("a", "x", "old")},
			one,
			wantWave{inProgress: []string{"late"}, waiting: []string{"x"}},
		},
		"a restart that is not observed is written once more": {
			[]Workload{deployment("a", "missed", "old", abandoned, missed(repeatAfter)), deployment("b", "x", "old")},
			Limits{MaxUnavailable: one.MaxUnavailable, MaxConcurrent: 2},
			wantWave{restart: []string{"missed", "x"}},
		},
		"but not at once": {
			[]Workload{deployment("a", "late", "old", abandoned, missed(repeatAfter-time.Second))}, one, wantWave{inProgress: []string{"late"}},
		},
		"and not if it was for another revision": {
			[]Workload{deployment("a", "other", "old", abandoned, missed(repeatAfter), func(w *Workload) { w.Restart.Revision = "other" })}, one, wantWave{blocked: []string{"other"}},
		},
		"and not if it was observed": {
			[]Workload{deployment("a", "slow", "old", abandoned, missed(repeatAfter), func(w *Workload) { w.Unobserved = false })}, one, wantWave{inProgress: []string{"slow"}},
		},
		"an unready pod holds up the others": {
			[]Workload{deployment("a", "broken", "old", notReady), deployment("a", "x", "old")}, one, wantWave{waiting: []string{"x"}, blocked: []string{"broken"}},
		},
	})
}

func TestHeldWorkloadsHaveTheirReason(t *testing.T) {
	wave := NextWave([]Workload{deployment("a", "paused", "old", held), deployment("b", "lost", "old", abandoned)}, "new", one, noon)
	if len(wave.Blocked) != 2 || wave.Blocked[0].Reason != pausedText || !strings.Contains(wave.Blocked[1].Reason, "its controller is absent") {
		t.Errorf("the blocked workloads are %v", wave.Blocked)
	}
	other := deployment("a", "x", "old", abandoned, func(w *Workload) { w.Restart.Revision = "other" })
	if wave := NextWave([]Workload{other}, "new", one, noon); len(wave.Blocked) != 1 || wave.Blocked[0].Reason != "its controller is absent" {
		t.Errorf("after a restart for another revision, the blocked workloads are %v", wave.Blocked)
	}
	if !wave.Done() {
		t.Error("the upgrade waits for a workload without its controller")
	}
}
