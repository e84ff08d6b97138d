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
	w.Restart = Restart{Revision: "new", At: noon.Add(-observeTimeout)}
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
	if !wave.Done() {
		t.Error("the upgrade waits for a workload without its controller")
	}
}
