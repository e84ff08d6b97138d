package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// on changes copies of a pod.
func on(pod SlottedPod, changes ...func(*SlottedPod)) SlottedPod {
	for _, change := range changes {
		change(&pod)
	}
	return pod
}

func unreadyPod(p *SlottedPod) { p.Unready = true }
func lostPod(p *SlottedPod)    { p.Lost, p.Unready = true, true }

// TestOnePodDoesNotHoldBackOthers has workloads with pods that cannot be upgraded in place now. Their other pods are.
func TestOnePodDoesNotHoldBackOthers(t *testing.T) {
	many := func(n int, others ...SlottedPod) Workload {
		return slotted("a", "x", append(others, slices.Repeat([]SlottedPod{outdatedPod}, n)...)...)
	}
	unknown := slottedPod(hourAgo, Slot{Image: oldEnvoy}, Slot{Image: oldEnvoy})
	lost := many(3, on(outdatedPod, lostPod))
	lost.Lost = map[string]int{"old": 1}
	for name, test := range map[string]struct {
		load    Workload
		patches int
		blocked bool
	}{
		"all are ready":                       {many(8), 2, false},
		"one is not ready":                    {many(7, on(outdatedPod, unreadyPod)), 1, false},
		"two are not ready":                   {many(6, on(outdatedPod, unreadyPod), on(outdatedPod, unreadyPod)), 0, true},
		"the only one is not ready":           {many(0, on(outdatedPod, unreadyPod)), 0, true},
		"it is not known which slot serves":   {many(3, unknown), 1, false},
		"one is on a lost node":               {lost, 1, false},
		"the first one did not take over":     {many(3, stuckPod), 0, true},
		"one of four that began did not":      {many(4, stuckPod, donePod, donePod, donePod), 2, false},
		"two of four that began did not":      {many(4, stuckPod, stuckPod, donePod, donePod), 0, true},
		"one takes over, and others can wait": {many(3, handingOver), 0, false},
	} {
		limits := inPlace()
		limits.MaxUnavailable = intstr.FromInt32(1)
		wave := NextWave([]Workload{test.load}, "new", limits, noon)
		if len(wave.Patches) != test.patches || len(wave.Blocked) > 0 != test.blocked {
			t.Errorf("%s: %d patches and blocked %v, want %d and %t", name, len(wave.Patches), wave.Blocked, test.patches, test.blocked)
		}
	}
}

// TestLostNodesAreNotWaitedFor has a DaemonSet on a node that is not ready, whose sidecar stays outdated.
func TestLostNodesAreNotWaitedFor(t *testing.T) {
	load := deployment("a", "x", "new", restarted, func(w *Workload) {
		w.Sidecars, w.Lost = map[string]int{"new": 299, "old": 1}, map[string]int{"old": 1}
	})
	load.Ready = true
	if wave := NextWave([]Workload{load}, "new", Limits{}, noon.Add(time.Hour)); !wave.Done() || len(wave.Blocked)+len(wave.Manual) > 0 {
		t.Errorf("the wave is %+v", wave)
	}
	if restart, _ := load.Outdated("new", Limits{}); restart != 1 {
		t.Errorf("%d sidecars are outdated, want 1: it still is when the node returns", restart)
	}
	load.Lost = nil
	if wave := NextWave([]Workload{load}, "new", Limits{}, noon.Add(time.Hour)); wave.Done() {
		t.Error("when the node is back, nothing is done")
	}
}

// TestUnreadWorkloadsAreWaitedFor checks that a workload that cannot be read holds the upgrade up as long as a gate may.
func TestUnreadWorkloadsAreWaitedFor(t *testing.T) {
	kind := Workload{Ref: Ref{Kind: "Rollout.argoproj.io"}, Unread: "objects of the kind Rollout.argoproj.io cannot be read: forbidden"}
	for name, test := range map[string]struct {
		since time.Time
		done  bool
	}{
		"just seen":       {time.Time{}, false},
		"at the timeout":  {noon.Add(-10 * time.Minute), false},
		"for much longer": {noon.Add(-11 * time.Minute), true},
	} {
		wave := NextWave([]Workload{kind}, "new", Limits{Timeout: 10 * time.Minute, UnreadSince: test.since}, noon)
		if wave.Done() != test.done || wave.RequeueAfter == 0 {
			t.Errorf("%s: done is %t: %+v", name, wave.Done(), wave)
		}
		if test.done && (len(wave.Blocked) != 1 || !strings.Contains(wave.Blocked[0].Reason, "forbidden, for longer than 10m0s") || wave.Blocked[0].Ref.String() != "each Rollout.argoproj.io") {
			t.Errorf("%s: %+v", name, wave.Blocked)
		}
	}
}

// TestFinishing checks that what remains after an upgrade is upgraded only while all gates pass.
func TestFinishing(t *testing.T) {
	verified := func(s *Situation) { s.Revisions[1].Verified = hourAgo }
	failed := func(s *Situation) { s.Verdicts = []Verdict{{"ErrorRate", Failed, "2% of requests fail"}} }
	if plan := NextPlan(upgrade(verified)); len(plan.Wave.Restart) == 0 || len(plan.Retire) > 0 {
		t.Errorf("while all gates pass: %+v", plan)
	}
	plan := NextPlan(upgrade(verified, failed))
	if len(plan.Wave.Restart) > 0 || len(plan.Wave.Blocked) != 2 || !strings.Contains(plan.Wave.Blocked[0].Reason, "2% of requests fail") || len(plan.Retire) > 0 || plan.Phase != Idle {
		t.Errorf("after a failed gate: %+v", plan)
	}
	alone := func(s *Situation) { s.Revisions = s.Revisions[1:] }
	if plan := NextPlan(upgrade(verified, failed, alone)); len(plan.Wave.Restart) == 0 {
		t.Errorf("without an earlier revision: %+v", plan)
	}
}
