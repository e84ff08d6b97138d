package catalog

import (
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// TestIndexFollowsDependencies replaces and removes the dependencies of nodes.
func TestIndexFollowsDependencies(t *testing.T) {
	all := []entity.Dep{{Kind: 1}, {Kind: 2}, {Kind: 3}}
	one, two, three := all[0], all[1], all[2]
	x := NewIndex[string]()
	expect := func(when string, want ...string) {
		t.Helper()
		for i, dep := range all {
			var nodes []string
			for n := range x.Affected([]entity.Dep{dep}) {
				nodes = append(nodes, n)
			}
			slices.Sort(nodes)
			if got := strings.Join(nodes, " "); got != want[i] {
				t.Errorf("%s: %q depend on dependency %d, want %q", when, got, i+1, want[i])
			}
			if got := x.HasDependents([]entity.Dep{dep}); got != (want[i] != "") {
				t.Errorf("%s: dependency %d has dependents: %t, want %t", when, i+1, got, want[i] != "")
			}
			if got := x.DependsOnAny("a", []entity.Dep{dep}); got != strings.Contains(want[i], "a") {
				t.Errorf("%s: a depends on dependency %d: %t, want %t", when, i+1, got, !got)
			}
		}
	}
	x.Set("a", []entity.Dep{one, two})
	x.Set("b", []entity.Dep{two})
	expect("at first", "a", "a b", "")
	x.Set("a", []entity.Dep{two, three})
	expect("after a change", "", "a b", "a")
	x.Remove("b")
	expect("after a removal", "", "a", "a")
	x.Remove("a")
	if left := len(x.Dependents) + len(x.Dependencies); left > 0 {
		t.Errorf("without nodes, the index has %d entries", left)
	}
}
