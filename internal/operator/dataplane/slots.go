package dataplane

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// slottedPod describes a pod whose sidecar has two slots; false for other pods. The roles of the slots are not in the API.
func slottedPod(pod *corev1.Pod) (rollout.SlottedPod, bool) {
	p := rollout.SlottedPod{
		Namespace: pod.Namespace, Pod: pod.Name, UID: string(pod.UID), Node: pod.Spec.NodeName, Revision: revisionOf(pod), Level: pod.Annotations[names.SlotsLevelAnnotation],
		Fixed: workload.CountedRestarts(pod),
	}
	if patched := patchedAt(&pod.ObjectMeta); patched != nil {
		p.Patched = patched.Time
	}
	found := 0
	for i, name := range []string{names.SidecarContainer, names.StandbyContainer} {
		for _, c := range pod.Spec.InitContainers {
			if c.Name == name && ingest.IsSlot(c) {
				p.Slots[i] = slotOf(c, pod.Status.InitContainerStatuses)
				found++
			}
		}
	}
	return p, found == len(p.Slots)
}

// slotOf describes a slot by its container and its status.
func slotOf(c corev1.Container, statuses []corev1.ContainerStatus) rollout.Slot {
	slot := rollout.Slot{Name: c.Name, Image: c.Image}
	for _, status := range statuses {
		if status.Name != c.Name {
			continue
		}
		if running := status.State.Running; running != nil {
			slot.Started = running.StartedAt.Time
		}
		if waiting := status.State.Waiting; waiting != nil && slices.Contains(startProblems, waiting.Reason) {
			slot.Problem = waiting.Reason
		}
	}
	return slot
}

// patchedAt is when the operator changed a pod last; nil if it never did. It changes nothing but the images of slots.
func patchedAt(meta *metav1.ObjectMeta) *metav1.Time {
	var latest *metav1.Time
	for _, entry := range meta.ManagedFields {
		if entry.Manager == apply.FieldManager && entry.Subresource == "" && entry.Time != nil && (latest == nil || latest.Before(entry.Time)) {
			latest = entry.Time
		}
	}
	return latest
}

// PatchSlot changes the image of a slot of a pod. The UID of the patch makes it fail for another pod of the same name.
func (p *Plane) PatchSlot(ctx context.Context, patch rollout.PodPatch) error {
	type container struct {
		Name  string `json:"name"`
		Image string `json:"image"`
	}
	content := map[string]any{
		"metadata": map[string]any{"uid": patch.UID},
		"spec":     map[string]any{"initContainers": []container{{patch.Slot, patch.Image}}},
	}
	text, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("the patch of a slot cannot be written: %w", err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: patch.Namespace, Name: patch.Pod}}
	if err := p.writer.Patch(ctx, pod, client.RawPatch("application/strategic-merge-patch+json", text), client.FieldOwner(apply.FieldManager)); err != nil {
		return fmt.Errorf("the image of the slot %s of the pod %s/%s cannot be changed: %w", patch.Slot, patch.Namespace, patch.Pod, err)
	}
	for _, c := range pod.Spec.InitContainers {
		if c.Name == patch.Slot && c.Image != patch.Image {
			return fmt.Errorf("the slot %s of the pod %s/%s has got the image %s instead of %s: exclude the containers envoy and envoy-standby from the admission webhook that replaces images, or set spec.sidecar.image of the Mesh to the image that it sets",
				patch.Slot, patch.Namespace, patch.Pod, c.Image, patch.Image)
		}
	}
	return nil
}
