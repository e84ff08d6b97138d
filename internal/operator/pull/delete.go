package pull

import (
	"context"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// list returns the pods that pull images for a mesh, by name.
func (p *Puller) list(ctx context.Context, mesh *v1alpha1.Mesh, namespace string) (map[string]*corev1.Pod, error) {
	var list corev1.PodList
	if err := p.live.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{names.PullLabel: mesh.Name}); err != nil {
		return nil, fmt.Errorf("the pods in %s that pull images cannot be listed: %w", namespace, err)
	}
	pods := map[string]*corev1.Pod{}
	for i := range list.Items {
		// The API server deletes those of a DaemonSet with it.
		if owner := metav1.GetControllerOf(&list.Items[i]); owner == nil || owner.Kind != "DaemonSet" {
			pods[list.Items[i].Name] = &list.Items[i]
		}
	}
	return pods, nil
}

// delete deletes pods that are not being deleted already.
func (p *Puller) delete(ctx context.Context, pods []*corev1.Pod) error {
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil {
			continue
		}
		if err := p.client.Delete(ctx, pod); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("the pod %s/%s, which pulls an image, cannot be deleted: %w", pod.Namespace, pod.Name, err)
		}
	}
	return nil
}

// deleteAll deletes all that pulls images for a mesh.
func (p *Puller) deleteAll(ctx context.Context, mesh *v1alpha1.Mesh, namespace string) error {
	if err := p.deleteDaemonSets(ctx, mesh, namespace); err != nil {
		return err
	}
	pods, err := p.list(ctx, mesh, namespace)
	if err != nil {
		return err
	}
	return p.delete(ctx, slices.Collect(maps.Values(pods)))
}

// deleteDaemonSets deletes what operators of earlier versions pulled images with.
func (p *Puller) deleteDaemonSets(ctx context.Context, mesh *v1alpha1.Mesh, namespace string) error {
	var list appsv1.DaemonSetList
	if err := p.live.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{names.PullLabel: mesh.Name}); err != nil {
		return fmt.Errorf("the DaemonSets in %s cannot be listed: %w", namespace, err)
	}
	for i := range list.Items {
		err := p.client.Delete(ctx, &list.Items[i], client.PropagationPolicy(metav1.DeletePropagationBackground))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("the DaemonSet %s/%s cannot be deleted: %w", namespace, list.Items[i].Name, err)
		}
	}
	return nil
}
