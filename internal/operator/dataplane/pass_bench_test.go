package dataplane

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// sharedPods is a cache that hands out its pods without copies, as the one of the operator does.
type sharedPods struct {
	readerCache
	pods []corev1.Pod
}

func (c sharedPods) List(ctx context.Context, list client.ObjectList, o ...client.ListOption) error {
	if pods, ok := list.(*corev1.PodList); ok {
		pods.Items = append([]corev1.Pod{}, c.pods...)
		return nil
	}
	return c.readerCache.List(ctx, list, o...)
}

// BenchmarkWorkloads reads 10,000 pods, with a sidecar in one container and in two slots.
func BenchmarkWorkloads(b *testing.B) {
	const pods = 10000
	for name, slots := range map[string][]string{"one": {names.SidecarContainer}, "two": {names.SidecarContainer, names.StandbyContainer}} {
		b.Run(name, func(b *testing.B) {
			plane := planeOf(namespace("shop", "osm"))
			shared := sharedPods{readerCache: plane.cache.(readerCache)}
			for i := range pods {
				shared.pods = append(shared.pods, slottedOf(b, i, slots))
			}
			plane.cache = shared
			for b.Loop() {
				workloads, err := plane.Workloads(b.Context(), "osm")
				if err != nil || len(workloads) == 0 {
					b.Fatal(len(workloads), err)
				}
				_ = rollout.DeclareImages(workloads, map[string]rollout.SlotTarget{"osm": {Image: "example.com/any:v2"}})
			}
		})
	}
}

func slottedOf(b *testing.B, i int, slots []string) corev1.Pod {
	b.Helper()
	p := pod(fmt.Sprintf("web-%05d", i), "osm-v0-6-0", "", "")
	p.Namespace = "shop"
	p.Spec.InitContainers, p.Status.InitContainerStatuses = nil, nil
	for _, slot := range slots {
		always := corev1.ContainerRestartPolicyAlways
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: slot, Image: "example.com/any:v1", RestartPolicy: &always})
		p.Status.InitContainerStatuses = append(p.Status.InitContainerStatuses, corev1.ContainerStatus{Name: slot, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: p.CreationTimestamp}}})
	}
	p.Annotations = map[string]string{names.SlotsLevelAnnotation: "1", names.InjectedSidecarAnnotation: "example.com/any:v1", names.InjectedInitAnnotation: "example.com/any:v1"}
	return p
}
