package meshconfig

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// SetTeardownMode sets the annotation by which control planes learn the mode of a teardown; an empty mode removes it.
func (r *Reconciler) SetTeardownMode(ctx context.Context, config *configv1alpha2.MeshConfig, mode string) error {
	before := config.DeepCopy()
	config = config.DeepCopy()
	if mode == "" {
		delete(config.Annotations, names.TeardownAnnotation)
	} else {
		metav1.SetMetaDataAnnotation(&config.ObjectMeta, names.TeardownAnnotation, mode)
	}
	if err := r.Client.Patch(ctx, config, client.MergeFrom(before), client.FieldOwner(apply.FieldManager)); err != nil {
		return fmt.Errorf("the MeshConfig cannot be annotated: %w", client.IgnoreNotFound(err))
	}
	return nil
}

// EndTeardown removes the teardown mode from a MeshConfig: one that somebody else wrote, or the operator's own when the MeshConfig
// outlives its mesh.
func (r *Reconciler) EndTeardown(ctx context.Context, mesh *v1alpha1.Mesh, config *configv1alpha2.MeshConfig) error {
	mode, set := config.Annotations[names.TeardownAnnotation]
	if !set {
		return nil
	}
	if mesh.DeletionTimestamp == nil {
		r.Recorder.Eventf(mesh, nil, corev1.EventTypeWarning, "Reverted", "Stay", "removed the annotation %s: %s from MeshConfig %s/%s, which ends policies and mutual TLS: only the operator writes it, while it removes a mesh",
			names.TeardownAnnotation, mode, config.Namespace, config.Name)
	}
	return r.SetTeardownMode(ctx, config, "")
}

const (
	// backupName is the ConfigMap with the last spec of the MeshConfig, in the namespace of the mesh.
	backupName = names.MeshConfig + "-backup"
	// backupKey is its key with the spec, as JSON.
	backupKey = "spec.json"
)

// saveBackup stores the spec of a MeshConfig, from which it is restored after somebody deletes it.
func (r *Reconciler) saveBackup(ctx context.Context, mesh *v1alpha1.Mesh, live *configv1alpha2.MeshConfig) error {
	if live.DeletionTimestamp != nil {
		return nil
	}
	spec, err := json.Marshal(live.Spec)
	if err != nil {
		return fmt.Errorf("the spec of the MeshConfig cannot be stored: %w", err)
	}
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{backupKey: string(spec)},
	}}
	object.SetNamespace(live.Namespace)
	object.SetName(backupName)
	object.SetLabels(operand.Labels(mesh.Name, ""))
	_, _, err = r.Applier.ApplyWithoutEvents(ctx, object)
	return err
}

// restoreSpec gives a new MeshConfig the stored spec, and reports whether there is one. A damaged backup is ignored, because the mesh needs a
// MeshConfig.
func (r *Reconciler) restoreSpec(ctx context.Context, mesh *v1alpha1.Mesh, object *unstructured.Unstructured) (bool, error) {
	backup := &corev1.ConfigMap{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: object.GetNamespace(), Name: backupName}, backup)
	if apierrors.IsNotFound(err) || err == nil && backup.Labels[names.MeshLabel] != mesh.Name {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var spec map[string]any
	if err := json.Unmarshal([]byte(backup.Data[backupKey]), &spec); err != nil || len(spec) == 0 {
		return false, nil
	}
	object.Object["spec"] = spec
	return true, nil
}
