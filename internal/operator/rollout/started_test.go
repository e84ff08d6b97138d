package rollout

import (
	"testing"
	"time"
)

// TestRecordedContainersDecideWhatHasStarted, whatever the clock of the node says. Without a record, or while the kubelet reports no container, clocks do.
func TestRecordedContainersDecideWhatHasStarted(t *testing.T) {
	before, after := noon.Add(-time.Hour), noon.Add(time.Hour)
	for name, test := range map[string]struct {
		isRecorded bool
		slot       Slot
		want       bool
	}{
		"another container, clock behind": {true, Slot{Container: "b", Before: "a", Started: before}, true},
		"the first container":             {true, Slot{Container: "b", Started: before}, true},
		"the same container, clock ahead": {true, Slot{Container: "a", Before: "a", Started: after}, false},
		"another container that ended":    {true, Slot{Container: "b", Before: "a"}, false},
		"an unknown container":            {true, Slot{Before: "a", Started: after}, true},
		"no record, clock behind":         {false, Slot{Container: "b", Started: before}, false},
		"no record, clock ahead":          {false, Slot{Container: "a", Started: after}, true},
	} {
		pod := slottedPod(noon, test.slot, Slot{})
		pod.Recorded = test.isRecorded
		if got := pod.hasStarted(pod.Slots[0]); got != test.want {
			t.Errorf("%s: started %t", name, got)
		}
		if corrected := pod.NotBefore(noon).Slots[0].Started; test.isRecorded && test.want && corrected.Before(noon) {
			t.Errorf("%s: started at %s", name, corrected)
		}
	}
}
