package dataplane

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// course is what happens to a pod that gets an image: its states, the seconds after which they begin, and the number of changes of its slots.
type course struct {
	states  []rollout.StepState
	seconds []int
	patches int
}

// courses are those with the right clock, by images of which something different becomes.
func courses() map[string]course {
	return map[string]course{
		"envoy:2":      {[]rollout.StepState{rollout.Begins, rollout.Proceeds, rollout.Current}, []int{0, 2, 12}, 2},
		"envoy:stuck":  {[]rollout.StepState{rollout.Begins, rollout.Proceeds, rollout.Fails}, []int{0, 2, 182}, 1},
		"envoy:idle":   {[]rollout.StepState{rollout.Begins, rollout.Proceeds, rollout.Stays}, []int{0, 2, 182}, 1},
		"envoy:absent": {[]rollout.StepState{rollout.Begins, rollout.Proceeds, rollout.Fails}, []int{0, 2, 30}, 2},
	}
}

// checkUpgrade upgrades a pod on a node whose clock is ahead of that of the operator.
func checkUpgrade(ctx context.Context, t rapid.TB, image string, skew time.Duration, keepsManagers bool) {
	t.Helper()
	want := courses()[image]
	states, seconds, patches := newSlotNode(skew, keepsManagers).upgrade(ctx, t, image)
	if diff := cmp.Diff(want.states, states); diff != "" || patches != want.patches {
		t.Errorf("%s, clock %s ahead: %d changes of slots, states (-want +got):\n%s", image, skew, patches, diff)
		return
	}
	for i := range seconds {
		if late := seconds[i] - want.seconds[i]; late < -5 || late > 5 {
			t.Errorf("%s, clock %s ahead: the states begin after %d seconds, and with the right clock after %d", image, skew, seconds, want.seconds)
			return
		}
	}
}

// TestClocksOfNodesDoNotDecideAboutSlots has nodes whose clocks are ahead and behind. One that was behind never seemed to start a container, and a slot on one
// that was ahead got its image again and again.
func TestClocksOfNodesDoNotDecideAboutSlots(t *testing.T) {
	for image := range courses() {
		for _, skew := range []time.Duration{-time.Hour, -10 * time.Second, -6 * time.Second, -time.Second, 0, time.Second, 6 * time.Second, time.Hour} {
			checkUpgrade(t.Context(), t, image, skew, true)
		}
	}
}

func TestAnyClockOfANodeDoesNotDecideAboutSlots(t *testing.T) {
	images := slices.Sorted(maps.Keys(courses()))
	rapid.Check(t, func(r *rapid.T) {
		skew := time.Duration(rapid.IntRange(-3600, 3600).Draw(r, "seconds")) * time.Second
		checkUpgrade(r.Context(), r, rapid.SampledFrom(images).Draw(r, "image"), skew, rapid.Bool().Draw(r, "keeps managed fields"))
	})
}

// TestManagedFieldsMayBeReset has a pod whose managed fields somebody resets after each change. The operator changed the slot once more, with another restart.
func TestManagedFieldsMayBeReset(t *testing.T) {
	for image := range courses() {
		checkUpgrade(t.Context(), t, image, 0, false)
	}
}
