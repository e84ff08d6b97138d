package mesh

import (
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
)

// checkStep refuses to go to a version that is too far from the one that runs, or that does not serve sidecars which live in the mesh.
// Nothing was changed for the new version by then.
func (r *Reconciler) checkStep(s *scope) error {
	if s.situation.Base == "" || s.acting() {
		return nil
	}
	problem := r.Contract.Step(r.versionOf(s, s.situation.Base), s.wanted.Version, r.sidecarVersions(s))
	if problem == "" {
		return nil
	}
	return &stalled{v1alpha1.ReasonUnsupportedStep, "spec.version: " + problem}
}

// sidecarVersions are the versions whose injectors made the sidecars of the mesh, as far as that is known, sorted.
func (r *Reconciler) sidecarVersions(s *scope) []string {
	versions := map[string]bool{}
	for _, w := range s.situation.Workloads {
		for revision, sidecars := range w.Sidecars {
			if version := r.versionOf(s, revision); version != "" && sidecars > 0 {
				versions[version] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(versions))
}

// versionOf is the version of a revision, which may have been deleted, by its name; empty for one that this operator does not know.
func (r *Reconciler) versionOf(s *scope, revision string) string {
	for _, version := range r.Catalogue.Known() {
		if desired.RevisionName(s.wanted.Name, version) == revision {
			return version
		}
	}
	return ""
}
