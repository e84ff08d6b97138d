package restart

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// confirmation is how long the Envoy of a slot must be without a connection to the control plane, before the slot counts as free. A replica of the
// control plane that stops ends connections too, and the Envoy connects to another one within seconds.
const confirmation = 20 * time.Second

// PatchSlots changes the images of the slots of a wave, for sidecars that are upgraded in place. It returns how long to wait before the mesh is
// observed again; 0 means that nothing asks for it. A denied patch of a slot that does not serve is tried again with the next observation.
func (r *Restarter) PatchSlots(ctx context.Context, mesh *v1alpha1.Mesh, wave rollout.Wave) (time.Duration, error) {
	denied := r.Denied(ctx, mesh)
	patches := lists.Filter(r.confirmed(mesh, slices.Concat(wave.TakeBacks, wave.Align, wave.Patches, wave.RetryPatches)), func(patch rollout.PodPatch) bool {
		message, due := denied(patch.Workload, wave.Target)
		return message == "" || due
	})
	begins := map[rollout.PodPatch]bool{}
	for _, patch := range slices.Concat(wave.Patches, wave.RetryPatches) {
		begins[patch] = true
	}
	return r.apply(ctx, mesh, wave, "upgrade in place", lists.Map(patches, func(patch rollout.PodPatch) change {
		return change{
			workload: patch.Workload, pod: patch.Pod,
			apply: func(ctx context.Context) error { return r.dataPlane.PatchSlot(ctx, patch) },
			done: func() {
				r.metrics.RecordSlotChange(mesh.Name)
				r.reportPatch(ctx, mesh, wave, patch, begins[patch])
			},
		}
	}))
}

// reportPatch records an Event about a pod whose slot gets its image back, or about a workload whose upgrade begins. Others have none: there are two or more
// changes for each pod.
func (r *Restarter) reportPatch(ctx context.Context, mesh *v1alpha1.Mesh, wave rollout.Wave, patch rollout.PodPatch, begins bool) {
	if patch.TakesBack != "" {
		r.report(mesh, wave, report{
			eventKey:  eventKey{patch.Workload, patch.Pod, eventTakenBack},
			regarding: podReference(patch), eventType: corev1.EventTypeWarning, action: "TakeBack",
			note: fmt.Sprintf("the slot %s of pod %s/%s could not start with the image %s, and has got %s back", patch.Slot, patch.Namespace, patch.Pod, patch.TakesBack, patch.Image),
		})
		return
	}
	key := eventKey{workload: patch.Workload, reason: eventBegun}
	if !begins || r.limits.has(mesh.UID, wave.Target, key) {
		return
	}
	r.report(mesh, wave, report{
		eventKey: key, regarding: r.dataPlane.Reference(ctx, patch.Workload, patch.Pod), eventType: corev1.EventTypeNormal, action: "UpgradeInPlace",
		note: fmt.Sprintf("upgrading the sidecars of %s in place, to those of %s", patch.Workload, wave.Target),
	})
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
