package teardown

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Kinds lists the kinds of namespaced objects that the API server serves.
type Kinds interface {
	ServerPreferredNamespacedResources() ([]*metav1.APIResourceList, error)
}

// pageSize is the number of objects that are read at once.
const pageSize = 500

// unmanagedObject returns an object in the namespace of the mesh that was not made for it, or nothing. It lists all kinds, and fails if one
// of them cannot be listed.
func (r *Reconciler) unmanagedObject(ctx context.Context, p *pass) (string, error) {
	kinds, err := r.listableKinds()
	if err != nil {
		return "", err
	}
	for _, kind := range kinds {
		found, err := r.unmanagedObjectOf(ctx, p, kind)
		if err != nil || found != "" {
			return found, err
		}
	}
	return "", nil
}

// listableKinds returns the kinds of namespaced objects that can be listed, in the order of the API server.
func (r *Reconciler) listableKinds() ([]schema.GroupVersionKind, error) {
	served, err := r.Kinds.ServerPreferredNamespacedResources()
	if err != nil {
		return nil, fmt.Errorf("the kinds of objects cannot be listed: %w", err)
	}
	var kinds []schema.GroupVersionKind
	for _, group := range served {
		version, err := schema.ParseGroupVersion(group.GroupVersion)
		if err != nil {
			return nil, err
		}
		for i := range group.APIResources {
			if resource := &group.APIResources[i]; slices.Contains(resource.Verbs, "list") {
				kinds = append(kinds, version.WithKind(resource.Kind))
			}
		}
	}
	if len(kinds) == 0 {
		return nil, errors.New("the API server serves no kinds of objects")
	}
	return kinds, nil
}

// unmanagedObjectOf is unmanagedObject for one kind.
func (r *Reconciler) unmanagedObjectOf(ctx context.Context, p *pass, kind schema.GroupVersionKind) (string, error) {
	for token := ""; ; {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		err := r.Live.List(ctx, list, client.InNamespace(p.desired.Namespace), client.Limit(pageSize), client.Continue(token))
		if err != nil {
			return "", fmt.Errorf("objects of kind %s cannot be listed: %w", kind.GroupKind(), err)
		}
		for i := range list.Items {
			if item := &list.Items[i]; item.Labels[names.MeshLabel] != p.mesh.Name && !isImplicit(kind, item) {
				return strings.ToLower(kind.Kind) + " " + item.Name, nil
			}
		}
		if token = list.Continue; token == "" {
			return "", nil
		}
	}
}

// isImplicit reports whether an object exists without anybody creating it for its own sake: objects of every namespace, Events, the Lease of
// the control plane, the permission to read it, and objects that the API server computes, which have no UID.
func isImplicit(kind schema.GroupVersionKind, object *metav1.PartialObjectMetadata) bool {
	switch kind.GroupKind() {
	case schema.GroupKind{Kind: "ConfigMap"}:
		return object.Name == "kube-root-ca.crt"
	case schema.GroupKind{Kind: "ServiceAccount"}:
		return object.Name == "default"
	case schema.GroupKind{Kind: "Event"}, schema.GroupKind{Group: "events.k8s.io", Kind: "Event"}:
		return true
	case schema.GroupKind{Group: "coordination.k8s.io", Kind: "Lease"}:
		return object.Name == names.StatusLease
	case schema.GroupKind{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"}:
		return object.Name == namespaceReader
	}
	return object.UID == ""
}

// remainingSidecars lists the workloads of the pods that need the control plane. The cache may lack a pod, so the first deletion requires that the
// API server lists none either.
func (r *Reconciler) remainingSidecars(ctx context.Context, p *pass) ([]rollout.Ref, error) {
	if p.goesBack {
		return r.DataPlane.LiveOwnSidecarPods(ctx, p.mesh.Name)
	}
	remaining, err := r.DataPlane.SidecarPods(ctx, p.mesh.Name)
	if err != nil || len(remaining) > 0 || p.removal != nil && p.removal.Phase == v1alpha1.RemovalDeleting {
		return remaining, err
	}
	return r.DataPlane.LiveSidecarPods(ctx, p.mesh.Name)
}

// remainingMessage describes what to do about sidecars.
func remainingMessage(left []rollout.Ref) string {
	return fmt.Sprintf("%s: remove the label %s from their namespaces and restart their workloads, or delete them; "+
		"or set spec.removal.sidecars to Restart, and the operator restarts what can be restarted", countSidecars(left), names.MonitoredByLabel)
}

// countSidecars returns how many pods have a sidecar, and which workloads they are of.
func countSidecars(left []rollout.Ref) string {
	count := fmt.Sprintf("%d pods have", len(left))
	if len(left) == 1 {
		count = "1 pod has"
	}
	return fmt.Sprintf("%s a sidecar of this mesh, of %s", count, workloadsOf(left))
}

// workloadsOf lists the first workloads of some pods, with the number of pods of each that has several.
func workloadsOf(left []rollout.Ref) string {
	const most = 5
	pods := map[rollout.Ref]int{}
	for _, ref := range left {
		pods[ref]++
	}
	words := lists.Map(slices.Compact(slices.Clone(left)), func(ref rollout.Ref) string {
		if pods[ref] > 1 {
			return fmt.Sprintf("%s (%d pods)", ref, pods[ref])
		}
		return ref.String()
	})
	return strings.Join(message.First(words, most), ", ")
}
