package compatibility

import (
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
			Minor: "v0.3", Bootstrap: "2", Envoy: "1.40", Bootstraps: []string{"2"}, Envoys: []string{"1.39", "1.40"},
			TestedBy: "end-to-end tests of v0.3.0",
		},
		{
			Minor: "v0.4", Bootstrap: "2", Envoy: "1.40", Bootstraps: []string{"2"}, Envoys: []string{"1.39", "1.40"},
			TestedBy: "golden configurations validated by both Envoy versions; random policies between sidecars of both; upgrade from v0.3.0 on a real cluster",
		},
	}
}

// Current is the entry of the control plane that this source builds.
func Current() Entry {
	table := Recorded()
	return table[len(table)-1]
}

// Find returns the entry of a version, such as v0.2.1. It returns false for a version that is not in the table.
func (t Table) Find(desired string) (Entry, bool) {
	i := t.index(desired)
	if i < 0 {
		return Entry{}, false
	}
	return t[i], true
}

// index returns the position of the entry of a version, or -1.
func (t Table) index(desired string) int {
	v, err := version.ParseSemantic(desired)
	if err != nil {
		return -1
	}
	minor := "v" + strconv.Itoa(int(v.Major())) + "." + strconv.Itoa(int(v.Minor()))
	for i, e := range t {
		if e.Minor == minor {
			return i
		}
	}
	return -1
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
