package observe

import (
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// SlotTargets is what pods with two slots have in each revision, by its name. A version that this operator does not know, and one before slots, has no
// level.
func (c *Cluster) SlotTargets(mesh *v1alpha1.Mesh, revisions []v1alpha1.MeshRevision) map[string]rollout.SlotTarget {
	targets := map[string]rollout.SlotTarget{}
	for i := range revisions {
		target := rollout.SlotTarget{Image: EffectiveImages(mesh, &revisions[i]).Sidecar}
		if release, err := c.Catalogue.Release(revisions[i].Spec.Version); err == nil {
			target.Level = release.SlotsLevel()
		}
		targets[revisions[i].Name] = target
	}
	return targets
}
