package rollout

import (
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// TestImagesOfAPod checks what is known about a pod by its images.
func TestImagesOfAPod(t *testing.T) {
	type facts struct{ has, mayHave, begun bool }
	serving := func(image string) Slot { return Slot{Image: image, Role: report.Serving} }
	for name, test := range map[string]struct {
		patched       time.Time
		first, second Slot
		want          facts
	}{
		"the serving slot":                {hourAgo, serving(newEnvoy), Slot{Image: oldEnvoy}, facts{true, true, true}},
		"the other slot":                  {hourAgo, serving(oldEnvoy), Slot{Image: newEnvoy}, facts{false, false, true}},
		"the first, and none is known":    {hourAgo, Slot{Image: newEnvoy}, Slot{Image: oldEnvoy}, facts{false, true, true}},
		"the second, and none is known":   {hourAgo, Slot{Image: oldEnvoy}, Slot{Image: newEnvoy}, facts{false, true, true}},
		"both, and none is known":         {hourAgo, Slot{Image: newEnvoy}, Slot{Image: newEnvoy}, facts{true, true, true}},
		"neither, and none is known":      {hourAgo, Slot{Image: oldEnvoy}, Slot{Image: oldEnvoy}, facts{}},
		"both, since the pod was created": {time.Time{}, Slot{Image: newEnvoy}, serving(newEnvoy), facts{true, true, false}},
	} {
		pod := slottedPod(test.patched, test.first, test.second)
		if got := (facts{pod.hasImage(newEnvoy), pod.mayHaveImage(newEnvoy), pod.isBegun(newEnvoy)}); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

// TestPodSuitsARevision checks whether images alone decide, and how many pods must be replaced.
func TestPodSuitsARevision(t *testing.T) {
	for name, test := range map[string]struct {
		pod, target, rejected string
		want                  bool
	}{
		"same level":                        {"1", "1", "", true},
		"another level":                     {"1", "2", "", false},
		"neither knows slots":               {"", "", "", false},
		"of the rejected revision":          {"1", "1", "old", false},
		"and another revision was rejected": {"1", "1", "bad", true},
	} {
		pod := outdatedPod
		pod.Level = test.pod
		if got := pod.suits(SlotTarget{Level: test.target}, Limits{RejectedRevision: test.rejected}); got != test.want {
			t.Errorf("%s: it suits is %t", name, got)
		}
	}
	other, injected := outdatedPod, alignedPod
	other.Level, injected.Revision = "2", "new"
	mixed := slotted("a", "x", other, outdatedPod, injected)
	mixed.Sidecars = map[string]int{"old": 2, "new": 1}
	if restart, inPlace := mixed.Outdated("new", inPlace()); restart != 1 || len(inPlace) != 1 {
		t.Errorf("%d pods must be replaced, and %d upgraded in place, want one each", restart, len(inPlace))
	}
}

// TestChangesOfAWorkload checks when a workload was changed, and ready, for the revision new.
func TestChangesOfAWorkload(t *testing.T) {
	other, unchanged := donePod, alignedPod
	other.Level, unchanged.Patched = "2", time.Time{}
	for name, test := range map[string]struct {
		load           Workload
		rolling        bool
		changed, ready time.Time
	}{
		"nothing changed":             {load: slotted("a", "x", outdatedPod)},
		"before the handover":         {load: slotted("a", "x", handingOver), changed: handingOver.Patched},
		"after the handover":          {load: slotted("a", "x", donePod), changed: donePod.Patched, ready: noon.Add(-time.Minute)},
		"after the last one":          {load: slotted("a", "x", donePod, currentPod), changed: donePod.Patched, ready: noon.Add(-time.Minute)},
		"a change to another image":   {load: slotted("a", "x", slottedPod(noon, Slot{Image: oldEnvoy, Role: report.Serving, Started: noon}, Slot{Image: oldEnvoy}))},
		"a change of another level":   {load: slotted("a", "x", other)},
		"created with the image":      {load: slotted("a", "x", unchanged)},
		"changed before, and rolling": {load: slotted("a", "x", donePod), rolling: true},
		"restarted":                   {load: deployment("a", "x", "new", restarted), changed: noon.Add(-time.Minute), ready: hourAgo},
		"restarted, of a Job":         {load: job(deployment("a", "x", "new", restarted)), changed: noon.Add(-time.Minute)},
	} {
		limits := inPlace()
		limits.InPlace = !test.rolling
		if got := test.load.ChangedAt("new", limits); !got.Equal(test.changed) {
			t.Errorf("%s: changed at %s, want %s", name, got, test.changed)
		}
		if got := test.load.ReadyFor("new", limits); !got.Equal(test.ready) {
			t.Errorf("%s: ready since %s, want %s", name, got, test.ready)
		}
	}
}

// TestNeedsRoles checks whether the control plane must be asked which slots serve.
func TestNeedsRoles(t *testing.T) {
	other, opted := outdatedPod, slotted("a", "x", outdatedPod)
	other.Level, opted.OptedOut = "2", true
	for name, test := range map[string]struct {
		load   Workload
		limits func(*Limits)
		want   bool
	}{
		"outdated":              {slotted("a", "x", outdatedPod), nil, true},
		"outdated, one of two":  {slotted("a", "x", alignedPod, outdatedPod), nil, true},
		"current":               {slotted("a", "x", alignedPod), nil, false},
		"two images":            {slotted("a", "x", donePod), func(l *Limits) { l.InPlace = false }, true},
		"outdated, and rolling": {slotted("a", "x", outdatedPod), func(l *Limits) { l.InPlace = false }, false},
		"outdated, and manual":  {slotted("a", "x", outdatedPod), func(l *Limits) { l.Manual = true }, false},
		"opted out":             {opted, nil, false},
		"another level":         {slotted("a", "x", other), nil, false},
	} {
		limits := inPlace()
		if test.limits != nil {
			test.limits(&limits)
		}
		if got := NeedsRoles([]Workload{test.load}, "new", limits); got != test.want {
			t.Errorf("%s: roles are needed is %t", name, got)
		}
	}
}

func TestWithRoles(t *testing.T) {
	given := []Workload{slotted("a", "x", outdatedPod)}
	if got := WithRoles(given, nil); got[0].Slotted[0].Slots[0].Role != report.Serving {
		t.Error("a role is lost without a report")
	}
	got := WithRoles(given, map[string]map[string]report.Role{"web": {"envoy-standby": report.Serving}})
	if slots := got[0].Slotted[0].Slots; slots[0].Role != "" || slots[1].Role != report.Serving {
		t.Errorf("the slots are %+v", slots)
	}
	if slots := given[0].Slotted[0].Slots; slots[0].Role != report.Serving || slots[1].Role != "" {
		t.Errorf("the given slots became %+v", slots)
	}
}
