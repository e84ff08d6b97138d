package contract

import (
	"fmt"
	"slices"
	"strings"
)

// Step says why a mesh cannot go from one version to another, as a sentence with what to do instead, or is empty. sidecars are the
// versions whose injectors made the sidecars that live in the mesh. About versions that are not in the table it says nothing.
func (t Table) Step(from, to string, sidecars []string) string {
	a, b := t.index(from), t.index(to)
	if a < 0 || b < 0 || from == to {
		return ""
	}
	if next, far := between(a, b); far {
		return fmt.Sprintf("a mesh goes from %s to %s over %s, one minor version after the other: set spec.version to a version of %s first",
			t[a].Minor, t[b].Minor, t[next].Minor, t[next].Minor)
	}
	for _, made := range slices.Sorted(slices.Values(sidecars)) {
		s := t.index(made)
		if s < 0 || t[b].starts(t[s]) {
			continue
		}
		return fmt.Sprintf("%s does not serve sidecars of version %s, which live in this mesh (they start from bootstrap version %s with Envoy %s, and it serves bootstrap versions %s with Envoy %s): "+
			"restart their workloads with the version that runs now, or delete them, and the upgrade goes on",
			to, made, t[s].Bootstrap, t[s].Envoy, strings.Join(t[b].Bootstraps, ", "), strings.Join(t[b].Envoys, ", "))
	}
	return ""
}

// between is the neighbour of a on the way to b, and whether b is farther than that.
func between(a, b int) (int, bool) {
	switch {
	case b > a+1:
		return a + 1, true
	case b < a-1:
		return a - 1, true
	}
	return b, false
}

// starts says whether sidecars that another version made are served.
func (p Promise) starts(other Promise) bool {
	return slices.Contains(p.Bootstraps, other.Bootstrap) && slices.Contains(p.Envoys, other.Envoy)
}

// Refuses says why a sidecar with a release of Envoy, such as 1.38.3, is not served, or is empty. An Envoy that does not understand a
// field leaves it out without a word, so one that is older than any that was tried might grant what is denied. A newer one
// understands what older ones did for a year, and is served: a mesh that goes back to this version has such sidecars for a while.
func (p Promise) Refuses(release string) string {
	if release == "" || len(p.Envoys) == 0 || !older(minorOf(release), p.Envoys[0]) {
		return ""
	}
	return fmt.Sprintf("its Envoy is %s, and a control plane of %s serves none that is older than %s: restart the pod, and if it comes back with the same Envoy, "+
		"take the sidecar's image out of the Mesh (spec.sidecar.image) or the MeshConfig (spec.sidecar.envoyImage), or name a newer one", release, p.Minor, p.Envoys[0])
}

// Tried says whether a release of Envoy is of a minor version that was tried with this version of the control plane.
func (p Promise) Tried(release string) bool { return slices.Contains(p.Envoys, minorOf(release)) }
