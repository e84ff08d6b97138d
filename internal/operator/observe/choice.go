package observe

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Choose returns the desired MeshRevision of a mesh, and the images of its version with those that the Mesh replaces. It returns an operand.UnknownVersionError
// for a version that this operator does not know.
func (c *Cluster) Choose(ctx context.Context, mesh *v1alpha1.Mesh, revisions []v1alpha1.MeshRevision) (desired.Choice, operand.Images, error) {
	state := c.Desired(mesh)
	plain := desired.Choice{Name: desired.RevisionName(state.Name, state.Version)}
	release, err := c.Catalogue.Release(state.Version)
	if err != nil {
		return plain, operand.Images{}, err
	}
	images := desired.Images(mesh, c.imagesOf(release, revisions))
	if !release.KeepsSidecars() {
		return plain, images, nil
	}
	config, exists, err := c.sidecarConfig(ctx, mesh)
	if err != nil {
		return plain, images, err
	}
	if active := ActiveRevision(revisions); !exists && active != nil && active.Spec.Version == state.Version && active.Spec.Sidecar != nil {
		// Somebody has deleted the MeshConfig, and it is restored soon. Without its values pods would be replaced twice.
		return desired.Choice{Name: active.Name, Sidecar: active.Spec.Sidecar}, images, nil
	}
	return desired.Choose(state, desired.Sidecar(mesh, config, images), revisions), images, nil
}

// ChosenName returns the name of the desired MeshRevision, also for a version that this operator does not know.
func (c *Cluster) ChosenName(ctx context.Context, mesh *v1alpha1.Mesh, revisions []v1alpha1.MeshRevision) (string, error) {
	chosen, _, err := c.Choose(ctx, mesh, revisions)
	if operand.IsUnknownVersion(err) {
		err = nil
	}
	return chosen.Name, err
}

// sidecarConfig returns what the MeshConfig of a mesh has about sidecars, and whether it exists.
func (c *Cluster) sidecarConfig(ctx context.Context, mesh *v1alpha1.Mesh) (configv1alpha2.SidecarSpec, bool, error) {
	config := &configv1alpha2.MeshConfig{}
	err := c.Client.Get(ctx, client.ObjectKey{Namespace: c.Desired(mesh).Namespace, Name: names.MeshConfig}, config)
	if client.IgnoreNotFound(err) != nil {
		return configv1alpha2.SidecarSpec{}, false, fmt.Errorf("the MeshConfig cannot be read: %w", err)
	}
	return config.Spec.Sidecar, err == nil, nil
}

// imagesOf are the images of a version. While the operator was of that version, its variables chose the registry. After an update of the operator they are
// about another version, and the mesh keeps the images that it runs.
func (c *Cluster) imagesOf(release *operand.Release, revisions []v1alpha1.MeshRevision) operand.Images {
	of := find(revisions, func(r *v1alpha1.MeshRevision) bool { return r.Spec.Version == release.Version })
	if of == nil || release.Version == c.Catalogue.Current() {
		return release.Images
	}
	return release.Images.Keep(operand.Images(of.Spec.Images))
}
