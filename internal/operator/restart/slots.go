package restart

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// confirmation is how long the Envoy of a slot must be without a connection to the control plane, before the slot counts as free. A replica of the
// control plane that stops ends connections too, and the Envoy connects to another one within seconds.
const confirmation = 20 * time.Second

// PatchSlots changes the images of the slots of a wave, for sidecars that are upgraded in place. It returns how long to wait before the mesh is
// observed again; 0 means that nothing asks for it. A denied patch of a slot that does not serve is tried again with the next observation.
func (r *Restarter) PatchSlots(ctx context.Context, mesh *v1alpha1.Mesh, wave rollout.Wave) (time.Duration, error) {
	again, denied := time.Duration(0), r.Denied(ctx, mesh)
	for _, patch := range r.confirmed(mesh, slices.Concat(wave.TakeBacks, wave.Align, wave.Patches, wave.RetryPatches)) {
		if message, due := denied(patch.Workload, wave.Target); message != "" && !due {
			continue
		}
		err := r.dataPlane.PatchSlot(ctx, patch)
		switch {
		case err == nil:
			r.forget(mesh, patch.Workload)
			r.metrics.RecordSlotChange(mesh.Name)
			r.recordChange(mesh, patch)
		case ctx.Err() != nil:
			return again, err
		default:
			again = soonest(again, r.fail(ctx, mesh, patch.Workload, wave.Target, "upgrade in place", err))
		}
	}
	return again, nil
}

// recordChange records an Event about a change of a slot.
func (r *Restarter) recordChange(mesh *v1alpha1.Mesh, patch rollout.PodPatch) {
	action := "Patch " + patch.Namespace + "/" + patch.Pod + " " + patch.Slot
	if patch.TakesBack != "" {
		r.recorder.Eventf(mesh, nil, corev1.EventTypeWarning, "SlotTakenBack", action,
			"the slot %s of pod %s/%s could not start with the image %s, and has got %s back", patch.Slot, patch.Namespace, patch.Pod, patch.TakesBack, patch.Image)
		return
	}
	r.recorder.Eventf(mesh, nil, corev1.EventTypeNormal, "SlotChanged", action, "gave the slot %s of pod %s/%s the image %s", patch.Slot,
		patch.Namespace, patch.Pod, patch.Image)
}

// confirmed returns the patches that are due. One that is not confirmed must have been due in all observations for a while.
func (r *Restarter) confirmed(mesh *v1alpha1.Mesh, patches []rollout.PodPatch) []rollout.PodPatch {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, now := r.unconfirmed[mesh.UID], map[rollout.PodPatch]time.Time{}
	due := slices.DeleteFunc(slices.Clone(patches), func(patch rollout.PodPatch) bool {
		if !patch.Unconfirmed {
			return false
		}
		since, known := before[patch]
		if !known {
			since = r.now()
		}
		now[patch] = since
		return r.now().Sub(since) < confirmation
	})
	r.unconfirmed[mesh.UID] = now
	return due
}
