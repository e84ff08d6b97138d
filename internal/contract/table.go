package contract

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
)

// Promise is what one minor version of the control plane promises. Patches and pre-releases of it promise the same.
type Promise struct {
	// Minor is the version of the control plane, such as "v0.2".
	Minor string
	// Bootstrap is the version of what its own sidecars start from, Envoy the minor version that they run.
	Bootstrap, Envoy string
	// Bootstraps and Envoys are those of all sidecars that it serves, its own included, the oldest first.
	Bootstraps, Envoys []string
	// HeldBy says which tests hold the promise.
	HeldBy string
}

// Table is what is promised, the oldest version first. A step between two versions is a step between neighbours.
type Table []Promise

// Recorded is the table of the versions that were recorded, and of the one that this source builds, which is the last.
func Recorded() Table {
	return Table{
		{
			Minor: "v0.1", Bootstrap: "1", Envoy: "1.40", Bootstraps: []string{"1", "2"}, Envoys: []string{"1.40"},
			HeldBy: "the end-to-end tests of v0.1.0; random policies with sidecars of v0.2; a mesh on a real cluster whose control plane alone goes back to it",
		},
		{
			Minor: "v0.2", Bootstrap: "2", Envoy: "1.40", Bootstraps: []string{"1", "2"}, Envoys: []string{"1.39", "1.40"},
			HeldBy: "every golden configuration, read by both Envoys; random policies between sidecars of both; an upgrade from v0.1.0 on a real cluster",
		},
	}
}

// Current is the promise of the control plane that this source builds.
func Current() Promise {
	table := Recorded()
	return table[len(table)-1]
}

// Of is the promise of a version, such as v0.2.1; false for one that the table says nothing about, such as a version that is tried
// before it was recorded.
func (t Table) Of(wanted string) (Promise, bool) {
	i := t.index(wanted)
	if i < 0 {
		return Promise{}, false
	}
	return t[i], true
}

func (t Table) index(wanted string) int {
	v, err := version.ParseSemantic(wanted)
	if err != nil {
		return -1
	}
	minor := "v" + strconv.Itoa(int(v.Major())) + "." + strconv.Itoa(int(v.Minor()))
	for i, p := range t {
		if p.Minor == minor {
			return i
		}
	}
	return -1
}

// minorOf is the minor version of a release of Envoy: 1.40 of 1.40.2.
func minorOf(release string) string {
	parts := strings.SplitN(release, ".", 3)
	return strings.Join(parts[:min(len(parts), 2)], ".")
}

// older compares minor versions of Envoy. What is no version is older than none.
func older(a, b string) bool {
	va, errA := version.ParseGeneric(a)
	vb, errB := version.ParseGeneric(b)
	return errA == nil && errB == nil && va.LessThan(vb)
}
