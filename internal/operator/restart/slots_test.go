package restart

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

func slotPatch(pod string, unconfirmed bool) rollout.PodPatch {
	return rollout.PodPatch{
		Workload: rollout.Ref{Kind: "Deployment", Namespace: "shop", Name: pod}, Namespace: "shop", Pod: pod, UID: pod, Slot: "envoy", Image: "envoy:2", Unconfirmed: unconfirmed,
	}
}

// TestSlotsThatMayDrainAreConfirmed patches a slot whose Envoy may still have connections only after it was free for a while.
func TestSlotsThatMayDrainAreConfirmed(t *testing.T) {
	f := newFixture()
	wave := rollout.Wave{Target: "new", Align: []rollout.PodPatch{slotPatch("drained", true)}, Patches: []rollout.PodPatch{slotPatch("idle", false)}}
	run := func(w rollout.Wave) {
		t.Helper()
		if _, err := f.PatchSlots(t.Context(), f.mesh, w); err != nil {
			t.Fatal(err)
		}
	}
	run(wave)
	wave.Patches = nil
	f.now = f.now.Add(confirmation - time.Second)
	run(rollout.Wave{Target: "new"}) // it was connected again
	run(wave)
	f.now = f.now.Add(confirmation - time.Second)
	run(wave)
	if want := []string{"idle"}; !slices.Equal(f.plane.patched, want) {
		t.Fatalf("patched %v, want %v", f.plane.patched, want)
	}
	f.now = f.now.Add(time.Second)
	run(wave)
	if want := []string{"idle", "drained"}; !slices.Equal(f.plane.patched, want) {
		t.Errorf("patched %v, want %v", f.plane.patched, want)
	}
}

// TestDeniedSlotPatch is tried again after its backoff, and others proceed.
func TestDeniedSlotPatch(t *testing.T) {
	f := newFixture()
	f.plane.answers["locked"] = apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "locked", errors.New("the policy says no"))
	wave := rollout.Wave{Target: "new", Patches: []rollout.PodPatch{slotPatch("locked", false), slotPatch("web", false)}}
	for range 3 {
		if _, err := f.PatchSlots(t.Context(), f.mesh, wave); err != nil {
			t.Fatal(err)
		}
		wave.Patches = wave.Patches[:1]
	}
	message, due := f.Denied(t.Context(), f.mesh)(wave.Patches[0].Workload, "new")
	if !strings.Contains(message, "its upgrade in place was denied") || !strings.Contains(message, "the policy says no") || due {
		t.Errorf("the denial is %q, due %t", message, due)
	}
	if want := []string{"web"}; !slices.Equal(f.plane.patched, want) {
		t.Errorf("patched %v, want %v", f.plane.patched, want)
	}
	delete(f.plane.answers, "locked")
	f.now = f.now.Add(firstBackoff)
	if _, err := f.PatchSlots(t.Context(), f.mesh, wave); err != nil {
		t.Fatal(err)
	}
	if message, _ := f.Denied(t.Context(), f.mesh)(wave.Patches[0].Workload, "new"); message != "" {
		t.Errorf("after a success the denial is %q", message)
	}
}

// TestTakenBackSlotIsReported has an Event of its own.
func TestTakenBackSlotIsReported(t *testing.T) {
	f := newFixture()
	back := slotPatch("broken", false)
	back.TakesBack, back.Image = "envoy:2", "envoy:1"
	if _, err := f.PatchSlots(t.Context(), f.mesh, rollout.Wave{Target: "new", TakeBacks: []rollout.PodPatch{back}, Patches: []rollout.PodPatch{slotPatch("idle", false)}}); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(slices.Values(f.plane.patched)); !slices.Equal(got, []string{"broken", "idle"}) {
		t.Errorf("patched %v", got)
	}
	if event := <-f.events.Events; !strings.Contains(event, "Warning SlotTakenBack the slot envoy of pod shop/broken could not start with the image envoy:2, and has got envoy:1 back") {
		t.Errorf("the Event is %q", event)
	}
}
