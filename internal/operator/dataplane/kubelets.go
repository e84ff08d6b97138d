package dataplane

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// virtualNodeTaint is on nodes of a virtual kubelet, which run pods without init containers that keep running, so no pod of a mesh.
const virtualNodeTaint = "virtual-kubelet.io/provider"

// fixedByKubelet is why the slots of a pod on a node are not changed; empty if they may be. A kubelet that is too old ignores a changed image until the
// container ends for another reason.
func (o observation) fixedByKubelet(node string) string {
	kubelet, old := o.oldKubelets[node]
	if !old {
		return ""
	}
	return fmt.Sprintf("the kubelet %s of its node %s does not restart a sidecar with another image: that needs version %s", kubelet, node,
		compatibility.FeatureOf(compatibility.SidecarsInPlace).Kubelet)
}

// OldKubelets returns the nodes on which new pods may run and whose kubelets do not restart a sidecar with another image, each with its version, sorted.
func (p *Plane) OldKubelets(ctx context.Context) ([]string, error) {
	var list corev1.NodeList
	if err := p.cache.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("the nodes cannot be listed: %w", err)
	}
	var found []string
	for i := range list.Items {
		if isOld(&list.Items[i]) {
			found = append(found, fmt.Sprintf("%s (%s)", list.Items[i].Name, list.Items[i].Status.NodeInfo.KubeletVersion))
		}
	}
	slices.Sort(found)
	return found, nil
}

// isOld reports whether new pods of a mesh may run on a node whose kubelet is too old for upgrades in place. Sidecars need Linux.
func isOld(node *corev1.Node) bool {
	return !node.Spec.Unschedulable && canRunSidecars(node) &&
		compatibility.FeatureOf(compatibility.SidecarsInPlace).LacksKubelet(node.Status.NodeInfo.KubeletVersion)
}

// canRunSidecars reports whether a node has a kubelet and Linux.
func canRunSidecars(node *corev1.Node) bool {
	isVirtual := slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == virtualNodeTaint })
	system := node.Status.NodeInfo.OperatingSystem
	return !isVirtual && (system == "" || system == string(corev1.Linux))
}

// ReadyNodes returns the nodes that can run sidecars, and whether each is ready.
func (p *Plane) ReadyNodes(ctx context.Context) (map[string]bool, error) {
	var list corev1.NodeList
	if err := p.cache.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("the nodes cannot be listed: %w", err)
	}
	ready := map[string]bool{}
	for i := range list.Items {
		if node := &list.Items[i]; canRunSidecars(node) {
			ready[node.Name] = isNodeReady(node)
		}
	}
	return ready, nil
}

// watchKubelets requests a reconciliation of all meshes when OldKubelets may return something else.
func watchKubelets(p *Plane) source.Source {
	return source.Kind(p.cache, &corev1.Node{},
		handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, _ *corev1.Node) []reconcile.Request {
			var meshes v1alpha1.MeshList
			if p.namespaces.List(ctx, &meshes) != nil {
				return nil // the next reconciliation of a mesh reads the nodes
			}
			return lists.FlatMap(meshes.Items, func(mesh v1alpha1.Mesh) []reconcile.Request { return requests(mesh.Name) })
		}),
		predicate.TypedFuncs[*corev1.Node]{
			CreateFunc: func(e event.TypedCreateEvent[*corev1.Node]) bool { return isOld(e.Object) },
			DeleteFunc: func(e event.TypedDeleteEvent[*corev1.Node]) bool { return isOld(e.Object) },
			UpdateFunc: func(e event.TypedUpdateEvent[*corev1.Node]) bool { return isOld(e.ObjectOld) != isOld(e.ObjectNew) },
		})
}

// stripNode keeps whether a node is ready, and what isOld reads.
func stripNode(node *corev1.Node) {
	stripMeta(&node.ObjectMeta)
	node.Labels = nil
	taints := lists.Filter(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == virtualNodeTaint })
	node.Spec = corev1.NodeSpec{Unschedulable: node.Spec.Unschedulable, Taints: taints}
	info := node.Status.NodeInfo
	node.Status = corev1.NodeStatus{
		NodeInfo:   corev1.NodeSystemInfo{KubeletVersion: info.KubeletVersion, OperatingSystem: info.OperatingSystem},
		Conditions: slices.DeleteFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool { return c.Type != corev1.NodeReady }),
	}
}
