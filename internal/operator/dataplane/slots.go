package dataplane

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// slottedPod describes a pod whose sidecar has two slots; false for other pods. The roles of the slots are not in the API.
func slottedPod(pod *corev1.Pod) (rollout.SlottedPod, bool) {
	p := rollout.SlottedPod{
		Namespace: pod.Namespace, Pod: pod.Name, UID: string(pod.UID), Node: pod.Spec.NodeName, Revision: revisionOf(pod),
		Level: pod.Annotations[names.SlotsLevelAnnotation], Hash: pod.Annotations[names.SidecarHashAnnotation],
		Fixed: workload.CountedRestarts(pod), PullSecrets: pullSecrets(pod), Injected: injectedImages(pod),
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
	addChange(&p, pod)
	return p, found == len(p.Slots)
}

// injectedImages reads what the injector gave a pod, and what its init container has got.
func injectedImages(pod *corev1.Pod) rollout.Injected {
	i := rollout.Injected{Sidecar: pod.Annotations[names.InjectedSidecarAnnotation], Init: pod.Annotations[names.InjectedInitAnnotation]}
	for _, c := range pod.Spec.InitContainers {
		if c.Name == names.InitContainer {
			i.InitText = c.Image
		}
	}
	return i
}

// pullSecrets are the names of the pull secrets of a pod, sorted.
func pullSecrets(pod *corev1.Pod) string {
	secrets := lists.Map(pod.Spec.ImagePullSecrets, func(secret corev1.LocalObjectReference) string { return secret.Name })
	return strings.Join(lists.Unique(secrets), ",")
}

// startStates are the reasons of a container that waits as long as nothing is wrong. Runtimes and later versions of the kubelet have further reasons
// for what is.
var startStates = []string{"", "ContainerCreating", "PodInitializing"}

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
		if waiting := status.State.Waiting; waiting != nil && !slices.Contains(startStates, waiting.Reason) {
			slot.Problem = waiting.Reason
		}
		slot.Ended, slot.Container = status.State.Terminated != nil, status.ContainerID
	}
	return slot
}

// takeBackManager is the beginning of the field managers that give slots their earlier image back. The ImageKey of the one that did not start follows. The API
// server removes such a manager when the image of the slot is changed by another one, so it stands for the last change, without a field of its own.
const takeBackManager = apply.FieldManager + "-take-back-"

// slotChanges are the operator's changes of a pod, sorted by time. It changes nothing but the images of slots, and its record of that, which
// earlier versions did not keep.
func slotChanges(meta *metav1.ObjectMeta) []metav1.ManagedFieldsEntry {
	var changes []metav1.ManagedFieldsEntry
	for _, entry := range meta.ManagedFields {
		if isOwn := entry.Manager == apply.FieldManager || strings.HasPrefix(entry.Manager, takeBackManager); isOwn &&
			entry.Subresource == "" && entry.Time != nil {
			changes = append(changes, metav1.ManagedFieldsEntry{Manager: entry.Manager, Time: entry.Time})
		}
	}
	slices.SortStableFunc(changes, func(a, b metav1.ManagedFieldsEntry) int { return a.Time.Compare(b.Time.Time) })
	return changes
}

// takenBack is the ImageKey of the image that was taken back last; empty for none.
func takenBack(changes []metav1.ManagedFieldsEntry) string {
	for _, change := range slices.Backward(changes) {
		if key, found := strings.CutPrefix(change.Manager, takeBackManager); found {
			return key
		}
	}
	return ""
}

// slotManager is the field manager of a change of a slot.
func slotManager(patch rollout.PodPatch) client.FieldOwner {
	if patch.TakesBack == "" {
		return client.FieldOwner(apply.FieldManager)
	}
	return client.FieldOwner(takeBackManager + rollout.ImageKey(patch.TakesBack))
}

// PatchSlot changes the image of a slot of a pod, and records that in the same patch. The UID of the patch makes it fail for another pod of the same name.
func (p *Plane) PatchSlot(ctx context.Context, patch rollout.PodPatch) error {
	before := &corev1.Pod{}
	if err := p.cache.Get(ctx, client.ObjectKey{Namespace: patch.Namespace, Name: patch.Pod}, before); err != nil {
		return fmt.Errorf("the pod %s/%s cannot be read: %w", patch.Namespace, patch.Pod, err)
	}
	annotations, err := newSlotChange(before, patch, p.now()).annotations()
	if err != nil {
		return fmt.Errorf("the change of a slot cannot be recorded: %w", err)
	}
	type container struct {
		Name  string `json:"name"`
		Image string `json:"image"`
	}
	content := map[string]any{
		"metadata": map[string]any{"uid": patch.UID, "annotations": annotations},
		"spec":     map[string]any{"initContainers": []container{{patch.Slot, patch.Image}}},
	}
	text, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("the patch of a slot cannot be written: %w", err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: patch.Namespace, Name: patch.Pod}}
	if err := p.writer.Patch(ctx, pod, client.RawPatch("application/strategic-merge-patch+json", text), slotManager(patch)); err != nil {
		return fmt.Errorf("the image of the slot %s of the pod %s/%s cannot be changed: %w", patch.Slot, patch.Namespace, patch.Pod, err)
	}
	for _, c := range pod.Spec.InitContainers {
		if c.Name == patch.Slot && !rollout.IsImage(c.Image, patch.Image) {
			return fmt.Errorf("the slot %s of the pod %s/%s has got the image %s instead of %s: exclude the containers envoy and envoy-standby from the admission webhook or policy that replaces images, or set spec.sidecar.image of the Mesh to the image that it sets",
				patch.Slot, patch.Namespace, patch.Pod, c.Image, patch.Image)
		}
	}
	return nil
}
