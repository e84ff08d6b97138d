package observe

import (
	"cmp"
	"context"
	"fmt"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// SlotTargets is what pods with two slots have in each revision, by its name: the image that its injector gives new pods, and its level. A version that
// this operator does not know, and one before slots, has no level.
func (c *Cluster) SlotTargets(ctx context.Context, mesh *v1alpha1.Mesh, revisions []v1alpha1.MeshRevision) (map[string]rollout.SlotTarget, error) {
	declared := ptr.Deref(ptr.Deref(mesh.Spec.Sidecar, v1alpha1.SidecarSpec{}).Image, "")
	config := &configv1alpha2.MeshConfig{}
	err := c.Client.Get(ctx, client.ObjectKey{Namespace: c.Desired(mesh).Namespace, Name: names.MeshConfig}, config)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("the MeshConfig cannot be read: %w", err)
	}
	targets := map[string]rollout.SlotTarget{}
	for i := range revisions {
		target := rollout.SlotTarget{
			Image: cmp.Or(declared, config.Spec.Sidecar.EnvoyImage, revisions[i].Spec.Images.Sidecar),
			Init:  cmp.Or(config.Spec.Sidecar.InitContainerImage, revisions[i].Spec.Images.Init),
		}
		if release, err := c.Catalogue.Release(revisions[i].Spec.Version); err == nil {
			target.Level = release.SlotsLevel()
		}
		targets[revisions[i].Name] = target
	}
	return targets, nil
}
