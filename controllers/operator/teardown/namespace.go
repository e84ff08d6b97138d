package teardown

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// namespaceReader is the ClusterRole that allows to list objects of all kinds, and the name of its RoleBinding in docs/removal.md.
const namespaceReader = "osm-operator-namespace-reader"

// deletesNamespace reports whether a Mesh requests the deletion of its namespace.
func deletesNamespace(mesh *v1alpha1.Mesh) bool {
	return ptr.Deref(ptr.Deref(mesh.Spec.Removal, v1alpha1.RemovalSpec{}).Namespace, v1alpha1.NamespaceRetain) == v1alpha1.NamespaceDelete
}

// removeNamespace deletes the namespace of the mesh if the Mesh requests it, the operator created it, and it contains no other object.
// It does not wait for the end of the deletion, which takes as long as the last pod.
func (r *Reconciler) removeNamespace(ctx context.Context, s *scope) (int, error) {
	namespace := &corev1.Namespace{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: s.desired.Namespace}, namespace); err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	if namespace.Labels[names.MeshLabel] != s.mesh.Name || namespace.DeletionTimestamp != nil {
		return 0, nil
	}
	if !deletesNamespace(s.mesh) {
		r.keepNamespace(s, "spec.removal.namespace is Retain")
		return 0, nil
	}
	foreign, err := r.foreignObject(ctx, s)
	switch {
	case apierrors.IsForbidden(err):
		r.keepNamespace(s, fmt.Sprintf("the operator may not list all its objects, bind the ClusterRole %s to it first: %v", namespaceReader, err))
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("namespace %s cannot be deleted, because its objects are not known: correct this, or set spec.removal.namespace to Retain: %w", namespace.Name, err)
	case foreign != "":
		r.keepNamespace(s, "it has "+foreign+", which was not made for this mesh")
		return 0, nil
	}
	return 0, apply.Delete(ctx, r.Client, namespace)
}

// keepNamespace records why the namespace of the mesh remains.
func (r *Reconciler) keepNamespace(s *scope, reason string) {
	r.Recorder.Eventf(s.mesh, nil, corev1.EventTypeNormal, "NamespaceKept", "Remove", "kept namespace %s: %s", s.desired.Namespace, reason)
}
