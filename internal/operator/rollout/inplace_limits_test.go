package rollout

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

var (
	// currentPod has taken over, and its earlier Envoy has drained, or is not connected. alignedPod has the new image in both slots.
	currentPod = slottedPod(hourAgo, Slot{Image: oldEnvoy, Started: noon.Add(-2 * time.Hour)}, Slot{Image: newEnvoy, Role: report.Serving, Started: hourAgo})
	alignedPod = slottedPod(hourAgo, Slot{Image: newEnvoy, Started: hourAgo}, Slot{Image: newEnvoy, Role: report.Serving, Started: hourAgo})
	// drainingPod goes to the new image a second time, and connections of its first Envoy drain.
	drainingPod = slottedPod(noon.Add(-time.Minute), Slot{Image: newEnvoy, Role: report.Draining, Started: hourAgo}, Slot{Image: oldEnvoy, Role: report.Serving, Started: noon.Add(-time.Minute)})
)

// job makes a workload one that the operator cannot restart.
func job(w Workload) Workload { w.Ref.Kind = "Job"; return w }

// TestWaveInPlace_Limits checks which workloads with two slots are changed at a time, and when the wave is computed again.
func TestWaveInPlace_Limits(t *testing.T) {
	deny := func(due bool) func(*Limits) {
		return func(l *Limits) { l.Denied = func(Ref, string) (string, bool) { return "denied", due } }
	}
	denyWith := func(change func(*Limits)) func(*Limits) { return func(l *Limits) { deny(true)(l); change(l) } }
	oneSlot := func(l *Limits) { l.MaxConcurrent = 1 }
	two := func(l *Limits) { l.MaxUnavailable = intstr.FromInt32(2) }
	pause := func(d time.Duration) func(*Limits) { return func(l *Limits) { l.Pause = d } }
	align := func(l *Limits) { l.Align = true }
	unreadyPod := outdatedPod
	unreadyPod.Unready = true
	unready, held := slotted("a", "x", unreadyPod), slotted("a", "x", outdatedPod)
	held.Held = pausedText
	out := slotted("a", "x", currentPod)
	out.OptedOut = true
	other := currentPod
	other.Level = "2"
	type want struct {
		patches, retries, aligned   int
		upgrading, waiting, blocked []string
		requeue                     time.Duration
	}
	x, xy := []string{"x"}, []Workload{slotted("a", "x", outdatedPod), slotted("a", "y", outdatedPod)}
	apart := []Workload{slotted("a", "x", outdatedPod), slotted("b", "y", outdatedPod)}
	for name, test := range map[string]struct {
		load   []Workload
		limits func(*Limits)
		want   want
	}{
		"one of a namespace":               {xy, nil, want{patches: 1, upgrading: x, waiting: []string{"y"}}},
		"two of a namespace":               {xy, two, want{patches: 2, upgrading: []string{"x", "y"}}},
		"one of all namespaces":            {apart, oneSlot, want{patches: 1, upgrading: x, waiting: []string{"y"}}},
		"two Jobs of a namespace":          {[]Workload{job(slotted("a", "x", handingOver)), job(slotted("a", "y", outdatedPod))}, nil, want{upgrading: x, waiting: []string{"y"}}},
		"at the end of a pause":            {[]Workload{slotted("a", "d", donePod), slotted("a", "x", outdatedPod)}, pause(time.Minute), want{patches: 1, upgrading: x}},
		"during a pause":                   {[]Workload{slotted("a", "d", donePod), slotted("a", "x", outdatedPod)}, pause(2 * time.Minute), want{waiting: x, requeue: time.Minute}},
		"stopped":                          {xy[:1], func(l *Limits) { l.Stopped = "stopped" }, want{blocked: x, requeue: blockedRetry}},
		"one failed":                       {[]Workload{slotted("a", "x", stuckPod)}, nil, want{blocked: x, requeue: blockedRetry}},
		"one drains":                       {[]Workload{slotted("a", "x", drainingPod)}, nil, want{waiting: x, requeue: drainRetry}},
		"one drains, another one begins":   {[]Workload{slotted("a", "x", drainingPod, outdatedPod)}, oneSlot, want{patches: 1, upgrading: x}},
		"it is held":                       {[]Workload{held}, nil, want{blocked: x}},
		"denied in the middle":             {[]Workload{slotted("a", "x", donePod, outdatedPod)}, deny(false), want{blocked: x}},
		"denied, and due":                  {xy[:1], deny(true), want{retries: 1, blocked: x}},
		"denied, and not due":              {xy[:1], deny(false), want{blocked: x}},
		"denied, and not ready":            {[]Workload{unready}, denyWith(two), want{blocked: x, requeue: blockedRetry}},
		"denied, in one namespace":         {xy, deny(true), want{retries: 1, blocked: []string{"x", "y"}}},
		"denied, two in one namespace":     {xy, denyWith(two), want{retries: 2, blocked: []string{"x", "y"}}},
		"denied, in all namespaces":        {apart, denyWith(oneSlot), want{retries: 1, blocked: []string{"x", "y"}}},
		"denied, during a pause":           {[]Workload{slotted("a", "d", donePod), slotted("a", "x", outdatedPod)}, denyWith(pause(2 * time.Minute)), want{blocked: x}},
		"denied, at the end of a pause":    {[]Workload{slotted("a", "d", donePod), slotted("a", "x", outdatedPod)}, denyWith(pause(time.Minute)), want{retries: 1, blocked: x}},
		"aligned":                          {[]Workload{slotted("a", "x", currentPod)}, align, want{aligned: 1, requeue: drainRetry}},
		"aligned, after the drain":         {[]Workload{slotted("a", "x", donePod)}, align, want{requeue: drainRetry}},
		"aligned already":                  {[]Workload{slotted("a", "x", alignedPod)}, align, want{}},
		"aligned after the upgrade":        {xy[:1], align, want{patches: 1, upgrading: x}},
		"not aligned without Align":        {[]Workload{slotted("a", "x", currentPod)}, nil, want{}},
		"not aligned if it opted out":      {[]Workload{out}, align, want{}},
		"not aligned by restarts":          {[]Workload{slotted("a", "x", currentPod)}, func(l *Limits) { l.Align, l.InPlace = true, false }, want{}},
		"not aligned for another level":    {[]Workload{slotted("a", "x", other)}, func(l *Limits) { l.Align, l.Manual = true, true }, want{}},
		"aligned except for another level": {[]Workload{slotted("a", "x", other, currentPod)}, func(l *Limits) { l.Align, l.Manual = true, true }, want{aligned: 1, requeue: drainRetry}},
	} {
		limits := inPlace()
		if test.limits != nil {
			test.limits(&limits)
		}
		wave := NextWave(test.load, "new", limits, noon)
		got := want{
			len(wave.Patches), len(wave.RetryPatches), len(wave.Align), namesOfNotes(wave.Upgrading), namesOfNotes(wave.Waiting), namesOfNotes(wave.Blocked), wave.RequeueAfter,
		}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(want{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for _, patch := range slices.Concat(wave.Patches, wave.RetryPatches, wave.Align) {
			if patch.Workload.Namespace != patch.Namespace || patch.Workload.Name == "" {
				t.Errorf("%s: the patch of %s/%s is of the workload %+v", name, patch.Namespace, patch.Pod, patch.Workload)
			}
		}
	}
}

// TestWhoIsUpgradedInPlace checks which workloads get new images in their pods, and not new pods.
func TestWhoIsUpgradedInPlace(t *testing.T) {
	idle := func(l *Limits) { l.RestartIdle = true }
	for name, test := range map[string]struct {
		load   Workload
		limits func(*Limits)
		want   bool
	}{
		"outdated":                    {slotted("a", "x", outdatedPod), nil, true},
		"done":                        {slotted("a", "x", donePod), nil, false},
		"excluded":                    {slotted("a", "x", outdatedPod), func(l *Limits) { l.Include = func(Workload) bool { return false } }, false},
		"included":                    {slotted("a", "x", outdatedPod), func(l *Limits) { l.Include = func(Workload) bool { return true } }, true},
		"idle":                        {slotted("a", "x", idlePod), idle, false},
		"idle, of a Job":              {job(slotted("a", "x", idlePod)), idle, true},
		"idle, and the image is none": {slotted("a", "x", idlePod), func(l *Limits) { idle(l); l.Slots["new"] = SlotTarget{Image: newEnvoy, Level: "1", Unusable: "broken"} }, true},
	} {
		limits := inPlace()
		if test.limits != nil {
			test.limits(&limits)
		}
		if _, got := limits.planInPlace(test.load, "new", newProofs(nil, "new", limits, noon), noon); got != test.want {
			t.Errorf("%s: upgraded in place is %t", name, got)
		}
	}
}

// TestPlanSlots checks what is planned for the pods of one workload.
func TestPlanSlots(t *testing.T) {
	late := drainingPod
	late.Slots[1].Started = noon.Add(-time.Hour - handoverTimeout - 1)
	const waiting = "connections of the earlier Envoy of x-0 are drained"
	for name, test := range map[string]struct {
		pods []SlottedPod
		// done are the first pods, which are not outdated.
		done int
		want slotsPlan
	}{
		"four begin":                {[]SlottedPod{outdatedPod, outdatedPod, outdatedPod, outdatedPod}, 0, slotsPlan{}},
		"one goes on":               {[]SlottedPod{donePod, outdatedPod}, 1, slotsPlan{isBegun: true}},
		"one was injected with it":  {[]SlottedPod{slottedPod(time.Time{}, Slot{Image: newEnvoy}, Slot{Image: newEnvoy}), outdatedPod}, 1, slotsPlan{}},
		"one is about to take over": {[]SlottedPod{handingOver}, 0, slotsPlan{isBegun: true, inProgress: 1, waiting: "the Envoy of the slot envoy-standby of x-0 is about to take over"}},
		"one drains":                {[]SlottedPod{drainingPod}, 0, slotsPlan{waiting: waiting}},
		"one drains too long":       {[]SlottedPod{late}, 0, slotsPlan{blocked: waiting}},
	} {
		load := slotted("a", "x", test.pods...)
		plan := planSlots(load, load.Slotted[test.done:], proofsOf(newEnvoy), inPlace(), noon)
		patches := len(plan.patches)
		plan.patches = nil
		if diff := cmp.Diff(test.want, plan, cmp.AllowUnexported(slotsPlan{})); diff != "" || patches > 1 {
			t.Errorf("%s: %d patches (-want +got):\n%s", name, patches, diff)
		}
	}
	late.Slots[1].Started = noon.Add(-time.Hour - handoverTimeout)
	if plan := planSlots(slotted("a", "x", late), []SlottedPod{late}, proofsOf(newEnvoy), inPlace(), noon); plan.blocked != "" || plan.waiting == "" {
		t.Errorf("at the end of the time to drain, the plan is %+v", plan)
	}
	load := slotted("a", "x", outdatedPod, outdatedPod, outdatedPod, outdatedPod, outdatedPod)
	slices.Reverse(load.Slotted)
	if got, want := patchesOf(planSlots(load, load.Slotted, proofsOf(newEnvoy), inPlace(), noon).patches), []string{"a/x-0 envoy-standby=" + newEnvoy, "a/x-1 envoy-standby=" + newEnvoy}; !slices.Equal(got, want) {
		t.Errorf("the first pods are %v, want %v", got, want)
	}
}

func proofsOf(image string) *proofs { return &proofs{target: SlotTarget{Image: image, Level: "1"}} }

func TestPlanIsInProgress(t *testing.T) {
	patch := []PodPatch{{}}
	for name, test := range map[string]struct {
		plan slotsPlan
		want bool
	}{
		"nothing is left":     {slotsPlan{isBegun: true}, false},
		"a pod takes over":    {slotsPlan{isBegun: true, inProgress: 1}, true},
		"another one follows": {slotsPlan{isBegun: true, patches: patch}, true},
		"the first one":       {slotsPlan{patches: patch}, false},
		"one failed":          {slotsPlan{isBegun: true, failed: 1, blocked: "failed"}, false},
		"and others go on":    {slotsPlan{isBegun: true, failed: 1, blocked: "failed", patches: patch}, true},
	} {
		if got := test.plan.isInProgress(); got != test.want {
			t.Errorf("%s: in progress is %t", name, got)
		}
	}
}
