package mesh

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

// trust keeps the root certificate in the namespace of the mesh and in every namespace that is part of it, and nowhere else.
func (r *Reconciler) trust(ctx context.Context, s *scope) error {
	members, err := r.members(ctx, s.mesh.Name)
	if err != nil {
		return err
	}
	wanted := map[string]bool{s.wanted.Namespace: true}
	for i := range members {
		// Nothing can be made in a namespace that is going.
		if members[i].DeletionTimestamp == nil {
			wanted[members[i].Name] = true
		}
	}
	var objects []*unstructured.Unstructured
	for _, namespace := range slices.Sorted(maps.Keys(wanted)) {
		objects = append(objects, trustConfigMap(s, namespace))
	}
	if err := apply.Own(s.mesh, r.Client.Scheme(), objects...); err != nil {
		return err
	}
	if _, err := r.Applier.All(ctx, s.mesh, objects); err != nil {
		return err
	}
	return r.pruneTrust(ctx, s, wanted)
}

// members lists the namespaces that are part of a mesh.
func (r *Reconciler) members(ctx context.Context, mesh string) ([]corev1.Namespace, error) {
	var list corev1.NamespaceList
	if err := r.Client.List(ctx, &list, client.MatchingLabels{names.MonitoredByLabel: mesh}); err != nil {
		return nil, fmt.Errorf("the namespaces of the mesh cannot be listed: %w", err)
	}
	var members []corev1.Namespace
	for i := range list.Items {
		if _, ignored := list.Items[i].Labels[names.IgnoreLabel]; !ignored {
			members = append(members, list.Items[i])
		}
	}
	return members, nil
}

// trustConfigMap is the trust of one namespace.
func trustConfigMap(s *scope, namespace string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"data": map[string]any{names.CABundleCert: string(s.root.CertPEM())},
	}}
	object.SetNamespace(namespace)
	object.SetName(names.TrustConfigMap(s.mesh.Name))
	object.SetLabels(operand.Labels(s.mesh.Name, ""))
	return object
}

// pruneTrust deletes the trust of namespaces that left the mesh.
func (r *Reconciler) pruneTrust(ctx context.Context, s *scope, wanted map[string]bool) error {
	var list corev1.ConfigMapList
	if err := r.Client.List(ctx, &list, client.MatchingLabels{names.MeshLabel: s.mesh.Name}); err != nil {
		return fmt.Errorf("the trust ConfigMaps cannot be listed: %w", err)
	}
	for i := range list.Items {
		object := &list.Items[i]
		if object.Name != names.TrustConfigMap(s.mesh.Name) || wanted[object.Namespace] || object.DeletionTimestamp != nil {
			continue
		}
		if err := client.IgnoreNotFound(r.Client.Delete(ctx, object)); err != nil {
			return fmt.Errorf("the ConfigMap %s/%s, which is no longer needed, cannot be deleted: %w", object.Namespace, object.Name, err)
		}
		r.say(s, corev1.EventTypeNormal, "Deleted", "Leave "+object.Namespace, "deleted ConfigMap %s/%s: the namespace is no longer part of the mesh", object.Namespace, object.Name)
	}
	return nil
}
