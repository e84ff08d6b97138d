package snapshot

import (
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// TestIndexFollowsDependencies replaces and removes the dependencies of nodes.
func TestIndexFollowsDependencies(t *testing.T) {
	all := []catalog.Dep{{Kind: 1}, {Kind: 2}, {Kind: 3}}
	one, two, three := all[0], all[1], all[2]
	x := newIndex[string]()
	expect := func(when string, want ...string) {
		t.Helper()
		for i, dep := range all {
			var nodes []string
			for n := range x.affected([]catalog.Dep{dep}) {
				nodes = append(nodes, n)
			}
			slices.Sort(nodes)
			if got := strings.Join(nodes, " "); got != want[i] {
				t.Errorf("%s: %q depend on dependency %d, want %q", when, got, i+1, want[i])
			}
			if got := x.hasDependents([]catalog.Dep{dep}); got != (want[i] != "") {
				t.Errorf("%s: dependency %d has dependents: %t, want %t", when, i+1, got, want[i] != "")
			}
			if got := x.dependsOnAny("a", []catalog.Dep{dep}); got != strings.Contains(want[i], "a") {
				t.Errorf("%s: a depends on dependency %d: %t, want %t", when, i+1, got, !got)
			}
		}
	}
	x.set("a", []catalog.Dep{one, two})
	x.set("b", []catalog.Dep{two})
	expect("at first", "a", "a b", "")
	x.set("a", []catalog.Dep{two, three})
	expect("after a change", "", "a b", "a")
	x.remove("b")
	expect("after a removal", "", "a", "a")
	x.remove("a")
	if left := len(x.dependents) + len(x.dependencies); left > 0 {
		t.Errorf("without nodes, the index has %d entries", left)
	}
}
