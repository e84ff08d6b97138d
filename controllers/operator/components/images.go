package components

import (
	"cmp"
	"context"
	"fmt"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// addPodImages sets the images of new pods as the injector determines them. A Mesh writes its image into the MeshConfig, but after the first
// reconciliation of components.
func (r *Reconciler) addPodImages(ctx context.Context, inputs *component.Inputs) error {
	config := &configv1alpha2.MeshConfig{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: component.Namespace(inputs.Mesh), Name: names.MeshConfig}, config)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("the MeshConfig cannot be read: %w", err)
	}
	declared := ptr.Deref(inputs.Mesh.Spec.Sidecar, v1alpha1.SidecarSpec{})
	inputs.EnvoyImage = cmp.Or(ptr.Deref(declared.Image, ""), config.Spec.Sidecar.EnvoyImage)
	inputs.InitImage = config.Spec.Sidecar.InitContainerImage
	return nil
}
