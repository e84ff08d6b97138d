package rollout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// inPlace are limits of a mesh whose sidecars are upgraded in place from the revision old to new.
func inPlace() Limits {
	return Limits{
		MaxUnavailable: intstr.FromInt32(1), InPlace: true, DrainTimeout: time.Hour,
		Slots: map[string]SlotTarget{"old": {Image: oldEnvoy, Level: "1"}, "new": {Image: newEnvoy, Level: "1"}},
	}
}

// slotted returns a ready workload whose pods have two slots of the revision old.
func slotted(namespace, name string, pods ...SlottedPod) Workload {
	w := Workload{Ref: Ref{"Deployment", namespace, name}, Sidecars: map[string]int{"old": len(pods)}, Ready: true, ReadySince: noon.Add(-time.Hour), Slotted: pods}
	for i := range w.Slotted {
		w.Slotted[i].Namespace, w.Slotted[i].Pod = namespace, fmt.Sprint(name, "-", i)
	}
	return w
}

var (
	hourAgo = noon.Add(-time.Hour)
	// outdatedPod has not been changed, handingOver has got the new image, stuckPod and idlePod long ago, and donePod has taken over.
	outdatedPod = slottedPod(time.Time{}, Slot{Image: oldEnvoy, Role: report.Serving, Started: hourAgo}, Slot{Image: oldEnvoy, Started: hourAgo})
	handingOver = slottedPod(noon.Add(-time.Second), Slot{Image: oldEnvoy, Role: report.Serving, Started: hourAgo}, Slot{Image: newEnvoy, Started: hourAgo})
	stuckPod    = slottedPod(noon.Add(-5*time.Minute), Slot{Image: oldEnvoy, Role: report.Serving, Started: hourAgo}, Slot{Image: newEnvoy, Started: noon.Add(-4 * time.Minute), Role: report.Starting})
	idlePod     = slottedPod(noon.Add(-5*time.Minute), Slot{Image: oldEnvoy, Role: report.Serving, Started: hourAgo}, Slot{Image: newEnvoy, Started: noon.Add(-4 * time.Minute)})
	donePod     = slottedPod(noon.Add(-time.Minute), Slot{Image: oldEnvoy, Role: report.Draining, Started: hourAgo}, Slot{Image: newEnvoy, Role: report.Serving, Started: noon.Add(-time.Minute)})
	// drainedPod has taken over, and its earlier Envoy has drained.
	drainedPod = slottedPod(hourAgo, Slot{Image: oldEnvoy, Started: noon.Add(-2 * time.Hour)}, Slot{Image: newEnvoy, Started: hourAgo, Role: report.Serving})
)

func patchesOf(patches []PodPatch) []string {
	var list []string
	for _, p := range patches {
		list = append(list, p.Namespace+"/"+p.Pod+" "+p.Slot+"="+p.Image)
	}
	return list
}

// TestWaveInPlace has all that a wave says about workloads with two slots.
func TestWaveInPlace(t *testing.T) {
	with := func(w Workload, change func(*Workload)) Workload { change(&w); return w }
	ref := Ref{"Deployment", "shop", "web"}
	job, asJob := Ref{"Job", "shop", "web"}, func(w *Workload) { w.Ref.Kind = "Job" }
	fixed := func(p SlottedPod) SlottedPod { p.Fixed = "restarts are counted"; return p }
	begin := []string{"shop/web-0 envoy-standby=" + newEnvoy}
	for name, test := range map[string]struct {
		load               []Workload
		limits             func(*Limits)
		patches            []string
		restart            []Ref
		upgrading, waiting []Ref
		blocked, manual    []Ref
		aligned            []string
		isDone             bool
	}{
		"outdated":                   {load: []Workload{slotted("shop", "web", outdatedPod)}, patches: begin, upgrading: []Ref{ref}},
		"a quarter at a time":        {load: []Workload{slotted("shop", "web", outdatedPod, outdatedPod, outdatedPod, outdatedPod, outdatedPod)}, patches: []string{begin[0], "shop/web-1 envoy-standby=" + newEnvoy}, upgrading: []Ref{ref}},
		"it goes on":                 {load: []Workload{slotted("shop", "web", donePod, outdatedPod)}, patches: []string{"shop/web-1 envoy-standby=" + newEnvoy}, upgrading: []Ref{ref}},
		"one takes over":             {load: []Workload{slotted("shop", "web", handingOver, outdatedPod)}, upgrading: []Ref{ref}},
		"done":                       {load: []Workload{slotted("shop", "web", donePod)}, isDone: true},
		"one did not take over":      {load: []Workload{slotted("shop", "web", stuckPod, outdatedPod)}, blocked: []Ref{ref}, isDone: true},
		"one stays idle":             {load: []Workload{slotted("shop", "web", idlePod, outdatedPod)}, limits: func(l *Limits) { l.RestartIdle = true }, restart: []Ref{ref}},
		"one stays idle, no upgrade": {load: []Workload{slotted("shop", "web", idlePod, outdatedPod)}, blocked: []Ref{ref}, isDone: true},
		"not ready":                  {load: []Workload{with(slotted("shop", "web", outdatedPod), func(w *Workload) { w.Slotted[0].Unready = true })}, blocked: []Ref{ref}, isDone: true},
		"a budget does not matter":   {load: []Workload{with(slotted("shop", "web", outdatedPod), func(w *Workload) { w.Blocked = "budget" })}, patches: begin, upgrading: []Ref{ref}},
		"a kind that is not restarted": {
			load:    []Workload{with(slotted("shop", "web", outdatedPod), func(w *Workload) { w.Ref.Kind = "Cluster.postgresql.cnpg.io" })},
			patches: begin, upgrading: []Ref{{"Cluster.postgresql.cnpg.io", "shop", "web"}},
		},
		"a Job": {load: []Workload{with(slotted("shop", "web", fixed(outdatedPod)), asJob)}, manual: []Ref{job}, isDone: true},
		"a Job that was upgraded in place before": {load: []Workload{with(slotted("shop", "web", fixed(donePod)), asJob)}, isDone: true},
		"a Job with a slot that is not aligned": {
			load: []Workload{with(slotted("shop", "web", fixed(drainedPod)), asJob)}, limits: func(l *Limits) { l.Align = true }, isDone: true,
		},
		"a pod that must not be changed": {load: []Workload{slotted("shop", "web", outdatedPod, fixed(outdatedPod))}, restart: []Ref{ref}},
		"opted out":                      {load: []Workload{with(slotted("shop", "web", outdatedPod), func(w *Workload) { w.OptedOut = true })}, manual: []Ref{ref}, isDone: true},
		"manual":                         {load: []Workload{slotted("shop", "web", outdatedPod)}, limits: func(l *Limits) { l.Manual = true }, manual: []Ref{ref}, isDone: true},
		"rolling":                        {load: []Workload{slotted("shop", "web", outdatedPod)}, limits: func(l *Limits) { l.InPlace = false }, restart: []Ref{ref}},
		"rolling, and it has the image": {
			load: []Workload{slotted("shop", "web", donePod)}, limits: func(l *Limits) { l.InPlace = false }, isDone: true,
		},
		"rolling, and nobody knows which slot serves": {
			load:   []Workload{slotted("shop", "web", slottedPod(hourAgo, Slot{Image: oldEnvoy}, Slot{Image: newEnvoy}))},
			limits: func(l *Limits) { l.InPlace = false }, isDone: true,
		},
		"another level": {
			load: []Workload{slotted("shop", "web", outdatedPod)}, limits: func(l *Limits) { l.Slots["new"] = SlotTarget{Image: newEnvoy, Level: "2"} }, restart: []Ref{ref},
		},
		"a version that does not know slots": {
			load: []Workload{slotted("shop", "web", donePod)}, limits: func(l *Limits) { l.Slots["new"] = SlotTarget{Image: newEnvoy, Level: ""} }, restart: []Ref{ref},
		},
		"a pod without slots among them": {
			load: []Workload{with(slotted("shop", "web", outdatedPod), func(w *Workload) { w.Sidecars["old"]++ })}, restart: []Ref{ref},
		},
		"maxUnavailable":        {load: []Workload{slotted("shop", "a", handingOver), slotted("shop", "web", outdatedPod)}, upgrading: []Ref{{"Deployment", "shop", "a"}}, waiting: []Ref{ref}},
		"maxConcurrentRestarts": {load: []Workload{slotted("bank", "a", handingOver), slotted("shop", "web", outdatedPod)}, limits: func(l *Limits) { l.MaxConcurrent = 1 }, upgrading: []Ref{{"Deployment", "bank", "a"}}, waiting: []Ref{ref}},
		"a pause":               {load: []Workload{slotted("shop", "a", donePod), slotted("shop", "web", outdatedPod)}, limits: func(l *Limits) { l.Pause = 2 * time.Minute }, waiting: []Ref{ref}},
		"denied": {
			load: []Workload{slotted("shop", "web", outdatedPod)}, limits: func(l *Limits) { l.Denied = func(Ref, string) (string, bool) { return "no", false } },
			blocked: []Ref{ref}, isDone: true,
		},
		"aligned": {
			load:   []Workload{slotted("shop", "web", drainedPod)},
			limits: func(l *Limits) { l.Align = true }, aligned: []string{"shop/web-0 envoy=" + newEnvoy}, isDone: true,
		},
	} {
		limits := inPlace()
		if test.limits != nil {
			test.limits(&limits)
		}
		wave := NextWave(test.load, "new", limits, noon)
		for what, pair := range map[string][2]any{
			"patches": {test.patches, patchesOf(wave.Patches)}, "restarts": {test.restart, wave.Restart}, "aligned": {test.aligned, patchesOf(wave.Align)},
			"upgrading": {test.upgrading, refs(wave.Upgrading)}, "waiting": {test.waiting, refs(wave.Waiting)}, "blocked": {test.blocked, refs(wave.Blocked)},
			"manual": {test.manual, refs(wave.Manual)}, "done": {test.isDone, wave.Done()},
		} {
			if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, what, diff)
			}
		}
	}
}

// TestImageOfAnIdleMesh changes the image of the sidecars of a verified revision. After a handover that failed, no other workload begins.
func TestImageOfAnIdleMesh(t *testing.T) {
	limits := inPlace()
	limits.MaxUnavailable = intstr.FromString("100%")
	s := Situation{
		Now: noon, Strategy: InPlace, Desired: "old", Active: "old", Limits: limits, Revisions: []Revision{{Name: "old", Verified: hourAgo, Serving: true}},
		Workloads: []Workload{slotted("bank", "web", outdatedPod), slotted("shop", "web", outdatedPod)},
	}
	s.Limits.Slots = map[string]SlotTarget{"old": {Image: newEnvoy, Level: "1"}}
	if plan := NextPlan(s); len(plan.Wave.Patches) != 2 || plan.Phase != Idle {
		t.Errorf("the plan is %+v", plan)
	}
	s.Workloads[0] = slotted("bank", "web", stuckPod)
	plan := NextPlan(s)
	if len(plan.Wave.Patches) > 0 || len(plan.Wave.Blocked) != 2 || !strings.Contains(plan.Wave.Blocked[1].Reason, "bank/web-0: the Envoy of the slot envoy-standby of web-0 did not take over") {
		t.Errorf("after a failure the plan is %+v", plan)
	}
	s.Workloads = append(s.Workloads, slotted("x", "web", donePod))
	if plan := NextPlan(s); len(plan.Wave.Patches) > 0 {
		t.Errorf("after a failure and one success the plan is %+v", plan)
	}
	s.Workloads = append(s.Workloads, slotted("y", "web", donePod))
	if plan := NextPlan(s); len(plan.Wave.Patches) != 1 {
		t.Errorf("after a failure and two successes the plan is %+v", plan)
	}
}

func refs(notes []Note) []Ref {
	var list []Ref
	for _, note := range notes {
		list = append(list, note.Ref)
	}
	return list
}

// TestDeniedPatchesAreTriedAgain has a denied workload whose backoff is over.
func TestDeniedPatchesAreTriedAgain(t *testing.T) {
	limits := inPlace()
	limits.Denied = func(Ref, string) (string, bool) { return "the quota is exceeded", true }
	wave := NextWave([]Workload{slotted("shop", "web", outdatedPod)}, "new", limits, noon)
	if len(wave.RetryPatches) != 1 || len(wave.Blocked) != 1 || wave.Blocked[0].Reason != "the quota is exceeded" || !wave.Done() {
		t.Errorf("the wave is %+v", wave)
	}
}

// A mesh whose sidecars are not upgraded in place has no handovers, also of pods whose images were changed before.
func TestNoHandoversWithoutUpgradesInPlace(t *testing.T) {
	limits := inPlace()
	limits.InPlace, limits.Slots["new"] = false, SlotTarget{Image: newEnvoy, Level: "1", Unusable: "broken"}
	if got := CountHandovers([]Workload{slotted("shop", "web", donePod)}, "new", limits, noon); got.Begun != nil || got.Done != 0 || got.Unusable != "" {
		t.Errorf("handovers are counted: %+v", got)
	}
}

// TestSlotsAreRolledBack rejects the revision new. A pod before the handover costs nothing, one after it goes back, and one that the rejected revision has
// injected is restarted.
func TestSlotsAreRolledBack(t *testing.T) {
	injected := slottedPod(time.Time{}, Slot{Image: newEnvoy, Role: report.Serving, Started: hourAgo}, Slot{Image: newEnvoy, Started: hourAgo})
	injected.Revision = "new"
	drained := slottedPod(hourAgo, Slot{Image: newEnvoy, Started: noon.Add(-time.Minute)}, Slot{Image: newEnvoy, Role: report.Serving, Started: hourAgo})
	created := slotted("d", "created", injected)
	created.Sidecars = map[string]int{"new": 1}
	s := Situation{
		Now: noon, Strategy: InPlace, AutomaticRollback: true, Desired: "new", Active: "old", Limits: inPlace(),
		Revisions: []Revision{{Name: "old", Verified: hourAgo, Serving: true}, {Name: "new", Rejected: "a gate failed"}},
		Workloads: []Workload{slotted("a", "begun", handingOver), slotted("b", "done", donePod), slotted("c", "drained", drained), created},
	}
	plan := NextPlan(s)
	if diff := cmp.Diff([]string{"c/drained-0 envoy=" + oldEnvoy}, patchesOf(plan.Wave.Patches)); diff != "" {
		t.Errorf("patches (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a/begun-0 envoy-standby=" + oldEnvoy}, patchesOf(plan.Wave.Align)); diff != "" {
		t.Errorf("aligned (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Ref{{"Deployment", "d", "created"}}, plan.Wave.Restart); diff != "" {
		t.Errorf("restarted (-want +got):\n%s", diff)
	}
	if plan.Phase != RollingBack || len(plan.Wave.Waiting) != 1 || plan.Wave.Waiting[0].Ref.Name != "done" {
		t.Errorf("the plan is %+v", plan)
	}
}

// TestCanaryRestartsPodsWithSlots moves a namespace to a canary. A pod keeps the control plane that it started with.
func TestCanaryRestartsPodsWithSlots(t *testing.T) {
	s := Situation{
		Now: noon, Strategy: Canary, Desired: "new", Active: "old", Canary: "new", CanaryInjector: "new", CanaryNamespaces: []string{"shop"}, Limits: inPlace(), ReadySince: hourAgo,
		Revisions: []Revision{{Name: "old", Verified: hourAgo, Serving: true}, {Name: "new", Serving: true, InjectorReady: true}},
		Verdicts:  []Verdict{{Gate: "ReplicasReady", State: Passed}},
		Workloads: []Workload{slotted("bank", "web", outdatedPod), slotted("shop", "web", outdatedPod)},
	}
	plan := NextPlan(s)
	if diff := cmp.Diff([]Ref{{"Deployment", "shop", "web"}}, plan.Wave.Restart); diff != "" || len(plan.Wave.Patches) > 0 {
		t.Errorf("the canary changes %v (-want +got):\n%s", plan.Wave.Patches, diff)
	}
	s.Active, s.Canary, s.CanaryInjector = "new", "", ""
	moved := slotted("shop", "web", slottedPod(time.Time{}, Slot{Image: newEnvoy}, Slot{Image: newEnvoy}))
	moved.Slotted[0].Revision, moved.Sidecars = "new", map[string]int{"new": 1}
	s.Workloads[1] = moved
	plan = NextPlan(s)
	if diff := cmp.Diff([]string{"bank/web-0 envoy-standby=" + newEnvoy}, patchesOf(plan.Wave.Patches)); diff != "" || len(plan.Wave.Restart) > 0 {
		t.Errorf("after the promotion (-want +got):\n%s", diff)
	}
}
