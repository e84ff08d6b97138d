package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// pullingPod cannot pull the new image, and takenBackPod has got its earlier one back after that. crashingPod has a new Envoy whose container ends.
var (
	pullingPod   = slottedPod(noon.Add(-time.Minute), Slot{Image: oldEnvoy, Role: report.Serving, Started: hourAgo}, Slot{Image: newEnvoy, Problem: "ImagePullBackOff"})
	takenBackPod = takenBackFrom(newEnvoy)
	crashingPod  = slottedPod(noon.Add(-time.Minute), Slot{Image: oldEnvoy, Role: report.Serving, Started: hourAgo}, Slot{Image: newEnvoy, Problem: crashLoop})
)

func takenBackFrom(image string) SlottedPod {
	pod := slottedPod(noon.Add(-time.Minute), Slot{Image: oldEnvoy, Role: report.Serving, Started: hourAgo}, Slot{Image: oldEnvoy, Started: noon.Add(-time.Minute)})
	pod.TakenBack = ImageKey(image)
	return pod
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// TestHandoversThatCount has workloads in four namespaces. One namespace alone does not decide.
func TestHandoversThatCount(t *testing.T) {
	late := pullingPod
	late.Patched = noon.Add(-handoverTimeout)
	slow := slottedPod(noon.Add(-handoverTimeout), Slot{Image: oldEnvoy, Role: report.Serving, Started: hourAgo}, Slot{Image: newEnvoy})
	unknown := slottedPod(hourAgo, Slot{Image: oldEnvoy}, Slot{Image: newEnvoy})
	other := stuckPod
	other.Level = "2"
	fixed := func(p SlottedPod) SlottedPod { p.Fixed = "restarts are counted"; return p }
	three := []Workload{slotted("a", "a", donePod), slotted("b", "b", donePod), slotted("c", "c", donePod)}
	type want struct {
		begun, done       int
		failed, uncounted []string
		undecided         bool
	}
	for name, test := range map[string]struct {
		load []Workload
		want want
		gate State
	}{
		"none":          {[]Workload{slotted("shop", "web", outdatedPod)}, want{}, Passed},
		"in progress":   {[]Workload{slotted("shop", "web", handingOver)}, want{begun: 1}, Passed},
		"all":           {three, want{begun: 3, done: 3}, Passed},
		"one fails":     {[]Workload{slotted("shop", "web", stuckPod)}, want{begun: 1, failed: []string{"shop/web-0"}}, Failed},
		"one of two":    {[]Workload{slotted("shop", "web", stuckPod, donePod)}, want{begun: 2, done: 1, failed: []string{"shop/web-0"}}, Failed},
		"one namespace": {append([]Workload{slotted("shop", "web", stuckPod)}, three...), want{begun: 4, done: 3, uncounted: []string{"shop/web-0"}}, Passed},
		"one namespace, in part": {
			[]Workload{slotted("shop", "web", stuckPod, donePod), three[0], three[1]}, want{begun: 4, done: 3, failed: []string{"shop/web-0"}}, Failed,
		},
		"slow": {
			[]Workload{slotted("shop", "web", slow), slotted("bank", "web", slow)}, want{begun: 2, failed: []string{"bank/web-0", "shop/web-0"}}, Failed,
		},
		"a pod that must not be changed": {
			[]Workload{slotted("shop", "web", fixed(stuckPod), fixed(donePod), fixed(handingOver))}, want{}, Passed,
		},
		"another level":            {[]Workload{slotted("shop", "web", other, donePod)}, want{begun: 1, done: 1}, Passed},
		"nobody knows":             {[]Workload{slotted("shop", "web", unknown)}, want{begun: 1}, Passed},
		"two namespaces":           {append([]Workload{slotted("shop", "web", stuckPod), slotted("bank", "web", stuckPod)}, three...), want{begun: 5, done: 3, failed: []string{"bank/web-0", "shop/web-0"}}, Failed},
		"one stays idle":           {[]Workload{slotted("shop", "web", idlePod)}, want{begun: 1}, Passed},
		"no image":                 {[]Workload{slotted("shop", "web", late)}, want{begun: 1, failed: []string{"shop/web-0"}}, Failed},
		"no image, for a moment":   {[]Workload{slotted("shop", "web", pullingPod)}, want{begun: 1, failed: []string{"shop/web-0"}, undecided: true}, Passed},
		"no image, and taken back": {[]Workload{slotted("shop", "web", takenBackPod)}, want{begun: 1, failed: []string{"shop/web-0"}, undecided: true}, Passed},
		"no image in one of three namespaces": {
			[]Workload{slotted("shop", "web", late), three[0], three[1]}, want{begun: 3, done: 2, failed: []string{"shop/web-0"}}, Failed,
		},
		"no image in one of four namespaces": {append([]Workload{slotted("shop", "web", late)}, three...), want{begun: 4, done: 3, uncounted: []string{"shop/web-0"}}, Passed},
		"no image in two namespaces": {
			append([]Workload{slotted("shop", "web", pullingPod), slotted("bank", "web", takenBackPod)}, three...),
			want{begun: 5, done: 3, failed: []string{"bank/web-0", "shop/web-0"}},
			Failed,
		},
		"no image, and other failures": {
			[]Workload{slotted("shop", "web", pullingPod, stuckPod)}, want{begun: 2, failed: []string{"shop/web-0", "shop/web-1"}}, Failed,
		},
	} {
		counted := CountHandovers(test.load, "new", inPlace(), noon)
		j := counted.Begun.evaluate(intstr.FromString("1%"))
		verdict := sidecarsTakenOver(Observation{Handovers: counted}, Bounds{MaxDisconnected: intstr.FromString("1%")})
		if verdict.State != test.gate || !containsAll(verdict.Message, j.failed) || !containsAll(verdict.Message, j.uncounted) {
			t.Errorf("%s: the verdict is %+v", name, verdict)
		}
		pods := func(reasons []string) (names []string) {
			for _, reason := range reasons {
				name, _, _ := strings.Cut(reason, ":")
				names = append(names, name)
			}
			return names
		}
		got := want{counted.Begun.pods(), counted.Done, pods(j.failed), pods(j.uncounted), counted.isUndecided()}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(want{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestSlotsAreTakenBack has the states of a slot that is not the serving one.
func TestSlotsAreTakenBack(t *testing.T) {
	fixed, hung := pullingPod, handingOver
	fixed.Fixed, hung.Patched = "restarts are counted", noon.Add(-handoverTimeout)
	hung.Slots[1].Started = hourAgo
	rebooted := slottedPod(hourAgo, Slot{Image: oldEnvoy, Started: noon.Add(-time.Minute)}, Slot{Image: newEnvoy, Problem: "CreateContainerError"})
	rebootedOther := rebooted
	rebootedOther.Slots[0].Role = report.Serving
	neither := pullingPod
	neither.Slots[0] = Slot{Name: "envoy", Image: oldEnvoy, Problem: "ErrImagePull"}
	aligning := slottedPod(noon.Add(-time.Hour), Slot{Image: oldEnvoy, Started: noon.Add(-2 * time.Hour)}, Slot{Image: newEnvoy, Role: report.Serving, Started: noon.Add(-time.Hour)})
	back := []string{"shop/web-0 envoy-standby=" + oldEnvoy}
	for name, test := range map[string]struct {
		pod  SlottedPod
		want []string
	}{
		"the image cannot be pulled":                        {pullingPod, back},
		"the container ends again and again":                {crashingPod, back},
		"nothing happens for three minutes":                 {hung, back},
		"it is about to take over":                          {handingOver, nil},
		"it has taken over":                                 {donePod, nil},
		"the earlier one is not aligned":                    {aligning, nil},
		"it has got its image back":                         {takenBackPod, nil},
		"neither slot runs":                                 {neither, nil},
		"its restarts are counted":                          {fixed, nil},
		"an Envoy without configuration":                    {stuckPod, nil},
		"after a restart of the node, the slot may serve":   {rebooted, nil},
		"after a restart of the node, the other one serves": {rebootedOther, back},
		"nothing was changed":                               {outdatedPod, nil},
	} {
		if diff := cmp.Diff(test.want, patchesOf(TakeBacks([]Workload{slotted("shop", "web", test.pod)}, noon))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestTakenBackSlotIsNotChangedAgain has a pod that gets the same image in each attempt, and one that gets another image.
func TestTakenBackSlotIsNotChangedAgain(t *testing.T) {
	for later := time.Duration(0); later < 24*time.Hour; later += 7 * time.Minute {
		wave := NextWave([]Workload{slotted("shop", "web", takenBackPod)}, "new", inPlace(), noon.Add(later))
		if len(wave.Patches)+len(wave.Align)+len(wave.Restart) > 0 || len(wave.Blocked) != 1 || !wave.Done() || !strings.Contains(wave.Blocked[0].Reason, "after it is replaced") {
			t.Fatalf("%s later the wave is %+v", later, wave)
		}
	}
	wave := NextWave([]Workload{slotted("shop", "web", takenBackFrom("envoy:1.38"))}, "new", inPlace(), noon.Add(time.Hour))
	if diff := cmp.Diff([]string{"shop/web-0 envoy-standby=" + newEnvoy}, patchesOf(wave.Patches)); diff != "" {
		t.Errorf("another image (-want +got):\n%s", diff)
	}
}

// TestNamespaceStopsWithItsOwnFailures has a namespace in which slots do not start, beside others in which all take over.
func TestNamespaceStopsWithItsOwnFailures(t *testing.T) {
	limits := inPlace()
	limits.MaxUnavailable = intstr.FromString("100%")
	others := []Workload{slotted("a", "a", donePod), slotted("b", "b", donePod), slotted("c", "c", donePod), slotted("d", "d", outdatedPod)}
	for name, test := range map[string]struct {
		load []Workload
		want []string
	}{
		"one of one fails":   {[]Workload{slotted("shop", "web", pullingPod), slotted("shop", "x", outdatedPod)}, []string{"d/d-0 envoy-standby=" + newEnvoy}},
		"one was taken back": {[]Workload{slotted("shop", "web", takenBackPod), slotted("shop", "x", outdatedPod)}, []string{"d/d-0 envoy-standby=" + newEnvoy}},
		"one of four fails": {
			[]Workload{slotted("shop", "web", pullingPod), slotted("shop", "x", outdatedPod), slotted("shop", "y", donePod, donePod, donePod)},
			[]string{"d/d-0 envoy-standby=" + newEnvoy, "shop/x-0 envoy-standby=" + newEnvoy},
		},
	} {
		wave := NextWave(append(test.load, others...), "new", limits, noon)
		if diff := cmp.Diff(test.want, patchesOf(wave.Patches)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestUndecidedFailureIsNotVerified has the only pod of a mesh. Its slot was taken back within seconds, so the wave has nothing left to do.
func TestUndecidedFailureIsNotVerified(t *testing.T) {
	s := Situation{
		Now: noon, Strategy: InPlace, AutomaticRollback: true, Desired: "new", Active: "new", ReadySince: hourAgo, Limits: inPlace(),
		Revisions: []Revision{{Name: "old", Verified: hourAgo, Serving: true}, {Name: "new", Serving: true}},
		Workloads: []Workload{slotted("shop", "web", takenBackPod)},
	}
	plan := func() Plan {
		s.Verdicts = []Verdict{sidecarsTakenOver(Observation{Handovers: CountHandovers(s.Workloads, "new", s.Limits, s.Now)}, Bounds{})}
		return NextPlan(s)
	}
	if p := plan(); p.Verify || p.Reject != "" {
		t.Errorf("at once, the plan is %+v", p)
	}
	s.Now = noon.Add(handoverTimeout)
	if p := plan(); p.Verify || !strings.Contains(p.Reject, "SidecarsTakenOver") {
		t.Errorf("after the time of the others, the plan is %+v", p)
	}
}
