package endtoend

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// slotKubelet simulates the kubelets, and the Envoys, of pods with two slots: a slot with another image starts at once, and its Envoy takes over.
type slotKubelet struct {
	client client.WithWatch
	// image is that of all slots at first.
	image string
	// changed counts the pods whose second Envoy has taken over, and started the containers.
	changed, started atomic.Int64

	mu sync.Mutex
	// serving has the Envoy of each pod, and images those of slots that were changed.
	serving map[types.UID]report.Proxy
	images  map[types.UID]map[string]string
}

// runSlotKubelet simulates the kubelets of all pods with a revision until the benchmark ends.
func runSlotKubelet(b *testing.B, c client.WithWatch, image string) *slotKubelet {
	b.Helper()
	k := &slotKubelet{client: c, image: image, serving: map[types.UID]report.Proxy{}, images: map[types.UID]map[string]string{}}
	all := &metav1.PartialObjectMetadataList{}
	all.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	must(b, c.List(b.Context(), all, client.HasLabels{names.RevisionLabel}))
	for i := range all.Items {
		pod := &all.Items[i]
		k.serve(pod, names.SidecarContainer)
	}
	ctx, cancel := context.WithCancel(context.Background())
	events, err := c.Watch(ctx, &corev1.PodList{}, client.HasLabels{names.RevisionLabel}, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: all.ResourceVersion}})
	must(b, err)
	var done sync.WaitGroup
	for range creators {
		done.Go(func() {
			for event := range events.ResultChan() {
				if pod, ok := event.Object.(*corev1.Pod); ok {
					k.start(ctx, pod)
				}
			}
		})
	}
	b.Cleanup(func() {
		cancel()
		events.Stop()
		done.Wait()
	})
	return k
}

// serve makes the Envoy of a slot the one that serves, unless the one that serves has the same image.
func (k *slotKubelet) serve(pod metav1.Object, slot string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.serving[pod.GetUID()]
	if images := k.images[pod.GetUID()]; images != nil && images[before.Slot] == images[slot] {
		return
	}
	if before.Epoch == 1 {
		k.changed.Add(1)
	}
	k.serving[pod.GetUID()] = report.Proxy{
		Namespace: pod.GetNamespace(), Pod: pod.GetName(), UID: string(pod.GetUID()), ServiceAccount: "web", Revision: pod.GetLabels()[names.RevisionLabel],
		Slot: slot, Epoch: before.Epoch + 1, Complete: true, Connected: metav1.Now().Time,
	}
}

// start starts the containers of slots whose image has changed.
func (k *slotKubelet) start(ctx context.Context, pod *corev1.Pod) {
	for _, c := range pod.Spec.InitContainers {
		if names.IsSlot(c.Name) && k.takeImage(pod.UID, c) {
			k.startSlot(ctx, pod, c)
		}
	}
}

// startSlot writes that a slot runs its image. Somebody else may change the pod meanwhile.
func (k *slotKubelet) startSlot(ctx context.Context, pod *corev1.Pod, c corev1.Container) {
	for ctx.Err() == nil {
		for i := range pod.Status.InitContainerStatuses {
			if status := &pod.Status.InitContainerStatuses[i]; status.Name == c.Name {
				status.Image, status.ContainerID = c.Image, fmt.Sprintf("containerd://%s-%d", pod.UID, k.started.Add(1))
				status.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
				status.Started = ptr.To(true)
			}
		}
		if err := k.client.Status().Update(ctx, pod); err == nil {
			k.serve(pod, c.Name)
			return
		}
		_ = k.client.Get(ctx, client.ObjectKeyFromObject(pod), pod) // tried again
	}
}

// takeImage notes the image of a slot, and reports whether it is another one than before.
func (k *slotKubelet) takeImage(pod types.UID, slot corev1.Container) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	images := k.images[pod]
	if images == nil {
		images = map[string]string{names.SidecarContainer: k.image, names.StandbyContainer: k.image}
		k.images[pod] = images
	}
	before := images[slot.Name]
	images[slot.Name] = slot.Image
	return before != slot.Image
}

// proxies are the Envoys of all pods, as a control plane reports them.
func (k *slotKubelet) proxies() []report.Proxy {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.SortedFunc(maps.Values(k.serving), func(a, b report.Proxy) int {
		return slices.Compare([]string{a.Namespace, a.Pod}, []string{b.Namespace, b.Pod})
	})
}
