package compatibility

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
)

// Entry is the compatibility of one minor version of the control plane. It also applies to its patches and pre-releases.
type Entry struct {
	// Minor is the version of the control plane, such as "v0.2".
	Minor string
	// Bootstrap is the bootstrap version of the sidecars that this version injects. Envoy is the minor version of their Envoy.
	Bootstrap, Envoy string
	// Bootstraps and Envoys are the versions of all sidecars that this version serves, including its own, oldest first.
	Bootstraps, Envoys []string
	// TestedBy describes the tests of the entry.
	TestedBy string
}

// Table lists the compatibility of versions, oldest first. An upgrade moves between adjacent entries.
type Table []Entry

// Recorded is the table of all recorded versions. The last entry is the version that this source builds.
func Recorded() Table {
	return Table{
		{
			Minor: "v0.4", Bootstrap: "2", Envoy: "1.40", Bootstraps: []string{"2"}, Envoys: []string{"1.39", "1.40"},
			TestedBy: "end-to-end tests of v0.4.0",
		},
		{
			Minor: "v0.5", Bootstrap: "2", Envoy: "1.40", Bootstraps: []string{"2"}, Envoys: []string{"1.39", "1.40"},
			TestedBy: "end-to-end tests of v0.5.0",
		},
		{
			Minor: "v0.6", Bootstrap: "2", Envoy: "1.40", Bootstraps: []string{"2"}, Envoys: []string{"1.39", "1.40"},
			TestedBy: "golden configurations validated by both Envoy versions; random policies between sidecars of both; upgrade from v0.5.0 on a real cluster",
		},
	}
}

// Current is the entry of the control plane that this source builds.
func Current() Entry {
	table := Recorded()
	return table[len(table)-1]
}

// index returns the position of the entry of a version, or -1.
func (t Table) index(desired string) int {
	v, err := version.ParseSemantic(desired)
	if err != nil {
		return -1
	}
	minor := "v" + strconv.Itoa(int(v.Major())) + "." + strconv.Itoa(int(v.Minor()))
	return slices.IndexFunc(t, func(e Entry) bool { return e.Minor == minor })
}

// minorOf returns the minor version of an Envoy release: 1.40 for 1.40.2.
func minorOf(release string) string {
	parts := strings.SplitN(release, ".", 3)
	return strings.Join(parts[:min(len(parts), 2)], ".")
}

// isOlder reports whether the Envoy minor version a is older than b. It is false for invalid versions.
func isOlder(a, b string) bool {
	va, errA := version.ParseGeneric(a)
	vb, errB := version.ParseGeneric(b)
	return errA == nil && errB == nil && va.LessThan(vb)
}

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

// NextVersion returns the version to which a mesh changes first on its way from one version to another: the other one if it is one step away, or else
// the newest known version of the next step. known lists versions, oldest first. Without a known version of the next step it is the other one,
// which CheckStep then explains.
func (t Table) NextVersion(from, to string, known []string) string {
	a, b := t.index(from), t.index(to)
	if a < 0 || b < 0 {
		return to
	}
	next, skipped := nextStep(a, b)
	if !skipped {
		return to
	}
	for _, version := range slices.Backward(known) {
		if t.index(version) == next {
			return version
		}
	}
	return to
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
