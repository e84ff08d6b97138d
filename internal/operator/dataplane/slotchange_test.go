package dataplane

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// recorded is a pod whose standby slot the operator has changed two minutes before noon, according to its record, and a minute before noon according to its
// managed fields. changes are made later.
func recorded(t *testing.T, changes ...func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	web := pod("web", "old", "ReplicaSet", "web-5c", hash("5c"), withSlots)
	web.Status.InitContainerStatuses[0].ContainerID, web.Status.InitContainerStatuses[1].ContainerID = "containerd://standby", "containerd://envoy"
	record(t, &web, rollout.PodPatch{Slot: names.StandbyContainer, Image: "envoy:2"}, noon.Add(-2*time.Minute))
	for _, change := range changes {
		change(&web)
	}
	return &web
}

// record changes a slot of a pod and records that.
func record(t *testing.T, web *corev1.Pod, patch rollout.PodPatch, now time.Time) {
	t.Helper()
	annotations, err := newSlotChange(web, patch, now).annotations()
	if err != nil {
		t.Fatal(err)
	}
	web.Annotations[names.SlotChangeAnnotation] = annotations[names.SlotChangeAnnotation]
	for i, c := range web.Spec.InitContainers {
		if c.Name == patch.Slot {
			web.Spec.InitContainers[i].Image = patch.Image
		}
	}
}

// TestRecordedChanges are read from pods and from the cache. Records of other pods, and of images that somebody has changed since, are none.
func TestRecordedChanges(t *testing.T) {
	image := func(image string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.InitContainers[2].Image = image }
	}
	annotation := func(text string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Annotations[names.SlotChangeAnnotation] = text }
	}
	for name, test := range map[string]struct {
		change     func(*corev1.Pod)
		isRecorded bool
	}{
		"recorded":                               {func(*corev1.Pod) {}, true},
		"without managed fields":                 {func(p *corev1.Pod) { p.ManagedFields = nil }, true},
		"completed by an admission step":         {image("docker.io/library/envoy:2@sha256:" + strings.Repeat("a", 64)), true},
		"changed by an earlier operator":         {image("envoy:3"), false},
		"a copy of another pod":                  {func(p *corev1.Pod) { p.UID = "2" }, false},
		"no record":                              {annotation(""), false},
		"text that the operator did not write":   {annotation("yes"), false},
		"a record that the operator did not end": {annotation(`{"pod": "1"}`), false},
		"a record without a time": {
			annotation(`{"pod": "1", "slots": {"envoy": {"image": "envoy:1"}, "envoy-standby": {"image": "envoy:2"}}}`), false,
		},
	} {
		full := recorded(t, test.change)
		stripped, err := strip(full.DeepCopy())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []*corev1.Pod{full, stripped.(*corev1.Pod)} {
			got, _ := slottedPod(p)
			patched, before := noon.Add(-2*time.Minute), "containerd://standby"
			if !test.isRecorded {
				patched, before = noon.Add(-time.Minute), ""
			}
			if got.Recorded != test.isRecorded || !got.Patched.Equal(patched) || got.Slots[1].Before != before || got.Slots[1].Container != "containerd://standby" {
				t.Errorf("%s: recorded %t, at %s, slots %+v", name, got.Recorded, got.Patched, got.Slots)
			}
		}
	}
}

// TestRecordsKeepWhatWasTakenBack until the image of the same slot changes, also without managed fields.
func TestRecordsKeepWhatWasTakenBack(t *testing.T) {
	web := recorded(t, func(p *corev1.Pod) { p.ManagedFields = nil })
	absent := rollout.ImageKey("envoy:absent")
	for _, step := range []struct {
		patch rollout.PodPatch
		want  string
	}{
		{rollout.PodPatch{Slot: names.StandbyContainer, Image: "envoy:absent"}, ""},
		{rollout.PodPatch{Slot: names.StandbyContainer, Image: "envoy:1", TakesBack: "envoy:absent"}, absent},
		{rollout.PodPatch{Slot: names.SidecarContainer, Image: "envoy:3"}, absent},
		{rollout.PodPatch{Slot: names.StandbyContainer, Image: "envoy:3"}, ""},
	} {
		record(t, web, step.patch, noon)
		if got, _ := slottedPod(web); got.TakenBack != step.want || !got.Recorded {
			t.Errorf("after %+v: recorded %t, taken back from %q, want %q", step.patch, got.Recorded, got.TakenBack, step.want)
		}
	}
}

// The slot that was changed last counts, and what its managed fields tell before the record.
func TestWhatWasTakenBackLast(t *testing.T) {
	change := slotChange{Slot: names.StandbyContainer, Slots: map[string]recordedSlot{
		names.SidecarContainer: {TakenBack: "earlier"}, names.StandbyContainer: {TakenBack: "later"},
	}}
	for range 20 { // the slots are visited in any order
		if got := change.takenBack(); got != "later" {
			t.Fatalf("%q was taken back last, want later", got)
		}
	}
	manager := metav1.ManagedFieldsEntry{Manager: takeBackManager + "managed", Time: &metav1.Time{Time: noon}}
	web := recorded(t, func(p *corev1.Pod) { p.ManagedFields = append(p.ManagedFields, manager) })
	if got, _ := slottedPod(web); got.TakenBack != "managed" || !got.Recorded {
		t.Errorf("recorded %t, taken back from %q, want managed", got.Recorded, got.TakenBack)
	}
}

// TestTheRecordIsComplete is what the annotation of a pod says.
func TestTheRecordIsComplete(t *testing.T) {
	want := `{"time":"` + noon.Add(-2*time.Minute).Format(time.RFC3339) + `","pod":"1","slot":"envoy-standby","slots":{` +
		`"envoy":{"image":"envoy:1","container":"containerd://envoy"},"envoy-standby":{"image":"envoy:2","container":"containerd://standby"}}}`
	if diff := cmp.Diff(want, recorded(t).Annotations[names.SlotChangeAnnotation]); diff != "" {
		t.Error(diff)
	}
}

// TestTimesOfChangesInTheFuture were written by an operator whose clock was ahead.
func TestTimesOfChangesInTheFuture(t *testing.T) {
	var times skewCorrector
	seen := func(now time.Time) time.Time {
		load := rollout.Workload{Slotted: []rollout.SlottedPod{{UID: "1", Patched: noon.Add(time.Hour)}}}
		return times.slots([]rollout.Workload{load}, now)[0].Slotted[0].Patched
	}
	if first, later := seen(noon), seen(noon.Add(time.Minute)); !first.Equal(noon) || !later.Equal(noon) {
		t.Errorf("the change was made at %s, and at %s a minute later", first, later)
	}
}
