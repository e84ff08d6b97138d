package meshconfig

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// SetTeardownMode sets the annotation by which control planes learn the mode of a teardown; an empty mode removes it.
func (r *Reconciler) SetTeardownMode(ctx context.Context, config *configv1alpha2.MeshConfig, mode string) error {
	before := config.DeepCopy()
	config = config.DeepCopy()
	if mode == "" {
		delete(config.Annotations, names.TeardownAnnotation)
	} else {
		if config.Annotations == nil {
			config.Annotations = map[string]string{}
		}
		config.Annotations[names.TeardownAnnotation] = mode
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
