package compatibility

import (
	"fmt"
	"slices"
	"strings"
)

// CheckStep returns why a mesh cannot change from one version to another, with a remedy, or an empty string. sidecars are the versions of
// the injectors that injected the sidecars of the mesh. Versions that are not in the table are not checked.
func (t Table) CheckStep(from, to string, sidecars []string) string {
	a, b := t.index(from), t.index(to)
	if a < 0 || b < 0 || from == to {
		return ""
	}
	if next, skipped := nextStep(a, b); skipped {
		return fmt.Sprintf("a change from %s to %s skips %s, and a mesh changes by one minor version at a time: set spec.version to a version of %s first",
			t[a].Minor, t[b].Minor, t[next].Minor, t[next].Minor)
	}
	for _, injected := range slices.Sorted(slices.Values(sidecars)) {
		s := t.index(injected)
		if s < 0 || t[b].serves(t[s]) {
			continue
		}
		return fmt.Sprintf("%s does not serve sidecars of version %s, which this mesh has (they use bootstrap version %s with Envoy %s, and it serves bootstrap versions %s with Envoy %s): "+
			"restart their workloads with the running version, or delete them, to continue the upgrade",
			to, injected, t[s].Bootstrap, t[s].Envoy, strings.Join(t[b].Bootstraps, ", "), strings.Join(t[b].Envoys, ", "))
	}
	return ""
}

// nextStep returns the index next to a in the direction of b, and whether b is further away.
func nextStep(a, b int) (int, bool) {
	switch {
	case b > a+1:
		return a + 1, true
	case b < a-1:
		return a - 1, true
	}
	return b, false
}

// serves reports whether this version serves sidecars that another version injected.
func (e Entry) serves(other Entry) bool {
	return slices.Contains(e.Bootstraps, other.Bootstrap) && slices.Contains(e.Envoys, other.Envoy)
}

// UnsupportedReason returns why a sidecar with an Envoy release, such as 1.38.3, is not served, or an empty string. Envoy ignores unknown
// fields, so a release older than the tested ones might allow denied traffic. Newer releases are served: Envoy supports deprecated
// fields for a year, and a mesh has such sidecars after a rollback.
func (e Entry) UnsupportedReason(release string) string {
	if release == "" || len(e.Envoys) == 0 || !isOlder(minorOf(release), e.Envoys[0]) {
		return ""
	}
	return fmt.Sprintf("Envoy %s is not supported, a control plane of %s serves Envoy %s and newer: restart the pod, and if its Envoy has the same version again, "+
		"remove the sidecar image from the Mesh (spec.sidecar.image) or the MeshConfig (spec.sidecar.envoyImage), or set a newer image", release, e.Minor, e.Envoys[0])
}

// IsTested reports whether the minor version of an Envoy release was tested with this version of the control plane.
func (e Entry) IsTested(release string) bool { return slices.Contains(e.Envoys, minorOf(release)) }
