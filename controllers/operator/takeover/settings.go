package takeover

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/meshconfig"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// followedAnnotation is a hash of the fields that were copied last.
const followedAnnotation = "operator.openservicemesh.io/followed-hash"

// ownFields are fields of the MeshConfig that belong to one control plane: the images of sidecars differ.
func ownFields() [][]string {
	return [][]string{{"sidecar", "envoyImage"}, {"sidecar", "envoyWindowsImage"}, {"sidecar", "initContainerImage"}}
}

// followSettings copies the spec of the MeshConfig of an Open Service Mesh in the namespace from into the MeshConfig of a mesh, and reports whether it was
// changed. What the Mesh declares has precedence, and fields of users that the source does not have stay. An annotation tells the injector.
func (r *Reconciler) followSettings(ctx context.Context, mesh *v1alpha1.Mesh, from string, source *unstructured.Unstructured) (bool, error) {
	object, err := followed(mesh, r.Desired(mesh).Namespace, source)
	if err != nil {
		return false, err
	}
	text, err := json.Marshal(object.Object["spec"])
	if err != nil {
		return false, err
	}
	sum := sha256.Sum256(text)
	object.SetAnnotations(map[string]string{names.TakesOverAnnotation: from, followedAnnotation: hex.EncodeToString(sum[:8])})
	object.SetLabels(operand.Labels(mesh.Name, ""))

	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(object.GroupVersionKind())
	err = r.Live.Get(ctx, client.ObjectKeyFromObject(object), live)
	switch {
	case err == nil && live.GetLabels()[names.MeshLabel] != mesh.Name:
		object.SetLabels(nil) // somebody else has made it, and it stays with them
	case err != nil && !apierrors.IsNotFound(err):
		return false, fmt.Errorf("the MeshConfig of the mesh cannot be read: %w", err)
	}
	if err == nil && len(apply.Differences(object.Object, live.Object)) == 0 {
		return false, nil
	}
	if err := r.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(fieldManager),
		client.ForceOwnership); err != nil {
		return false, fmt.Errorf("the settings of the Open Service Mesh cannot be copied into MeshConfig %s/%s: %w", object.GetNamespace(), object.GetName(), err)
	}
	return true, nil
}

// followed returns a MeshConfig with the spec of another one, without what the Mesh declares and what belongs to one control plane.
func followed(mesh *v1alpha1.Mesh, namespace string, source *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	spec, found, err := unstructured.NestedMap(source.Object, "spec")
	if err != nil || !found {
		spec = map[string]any{}
	}
	for _, path := range ownFields() {
		unstructured.RemoveNestedField(spec, path...)
	}
	return meshconfig.Undeclared(mesh, namespace, spec)
}

// endSettings removes the annotations of a takeover from the MeshConfig of a mesh. The fields stay.
func (r *Reconciler) endSettings(ctx context.Context, mesh *v1alpha1.Mesh) error {
	live := &configv1alpha2.MeshConfig{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: r.Desired(mesh).Namespace, Name: names.MeshConfig}, live)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the MeshConfig of the mesh cannot be read: %w", err)
	}
	if live.Annotations[names.TakesOverAnnotation] == "" {
		return nil
	}
	before := live.DeepCopy()
	delete(live.Annotations, names.TakesOverAnnotation)
	delete(live.Annotations, followedAnnotation)
	if err := r.Client.Patch(ctx, live, client.MergeFrom(before), client.FieldOwner(fieldManager)); err != nil {
		return fmt.Errorf("the annotations of the takeover cannot be removed from the MeshConfig: %w", err)
	}
	return nil
}
