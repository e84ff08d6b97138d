package dataplane

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// An upgrade that takes a change for made that failed waits for it until its timeout.
func TestChangesOfSlotsThatFail(t *testing.T) {
	denied := errors.New("denied by policy")
	for want, change := range map[string]func(*Plane, *rollout.PodPatch){
		"the pod shop/gone cannot be read":        func(_ *Plane, patch *rollout.PodPatch) { patch.Pod = "gone" },
		"the change of a slot cannot be recorded": func(p *Plane, _ *rollout.PodPatch) { p.now = func() time.Time { return noon.AddDate(8000, 0, 0) } },
		"the image of the slot envoy-standby of the pod shop/web cannot be changed: denied by policy": func(p *Plane, _ *rollout.PodPatch) {
			p.writer = rejectingWriter{err: denied}
		},
	} {
		web := pod("web", "old", "", "", withSlots)
		web.ManagedFields = nil
		plane, patch := planeOf(&web), rollout.PodPatch{Namespace: "shop", Pod: "web", UID: "1", Slot: names.StandbyContainer, Image: "envoy:3"}
		change(plane, &patch)
		if err := plane.PatchSlot(t.Context(), patch); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

// A change that takes nothing back has the manager of all other changes, or the API server would keep one for each.
func TestManagersOfSlots(t *testing.T) {
	if got := slotManager(rollout.PodPatch{Image: "envoy:3"}); got != apply.FieldManager {
		t.Errorf("the manager is %s, want %s", got, apply.FieldManager)
	}
}

// Managers without a time and managers of a status tell nothing about a change of a slot.
func TestManagersThatChangeNoSlot(t *testing.T) {
	at := &metav1.Time{Time: noon}
	for name, entry := range map[string]metav1.ManagedFieldsEntry{
		"without a time": {Manager: apply.FieldManager}, "of a status": {Manager: apply.FieldManager, Subresource: "status", Time: at},
	} {
		fields := []metav1.ManagedFieldsEntry{entry, {Manager: apply.FieldManager, Subresource: "", Time: &metav1.Time{Time: noon.Add(-time.Minute)}}}
		changes := slotChanges(&metav1.ObjectMeta{ManagedFields: fields})
		if len(changes) != 1 || !changes[0].Time.Equal(fields[1].Time) {
			t.Errorf("a manager %s: the changes are %+v, want the other one", name, changes)
		}
	}
}

// A container that ends before the application starts is no slot, whatever its name.
func TestContainersThatEndAreNoSlots(t *testing.T) {
	web := pod("web", "old", "", "", withSlots, func(p *corev1.Pod) { p.Spec.InitContainers[2].RestartPolicy = nil })
	if got, ok := slottedPod(&web); ok {
		t.Errorf("the pod has the slots %+v", got.Slots)
	}
}
