package assess

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestChangesOfFindingsAffectTheirDependencies checks that what a view recorded is all that the findings depend on. Status is written again only then.
func TestChangesOfFindingsAffectTheirDependencies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, stored := catalog.New(), entries{}
		store := func(changes []catalog.Change) []entity.Dep {
			for _, change := range changes {
				if change.Entry == nil {
					delete(stored, change.Ref)
				} else {
					stored[change.Ref] = change.Entry
				}
			}
			return c.Apply(changes)
		}
		store(rapid.SliceOfN(rapid.OneOf(Change(), PeerChange()), 30, 90).Draw(t, "mesh"))
		type told struct {
			findings []finding.Finding
			isUsed   bool
			deps     []entity.Dep
		}
		tell := func(policy catalog.Entry) told {
			mesh := Mesh{View: c.View(), Namespace: meshNamespace}
			return told{mesh.Policy(policy), mesh.Uses(policy), mesh.View.Deps()}
		}
		before := map[entity.Ref]told{}
		for ref, entry := range stored {
			before[ref] = tell(entry)
		}
		for range 5 {
			edit := rapid.OneOf(Change(), PeerChange()).Draw(t, "edit")
			affected := store([]catalog.Change{edit})
			for _, ref := range slices.SortedFunc(maps.Keys(stored), entity.Ref.Compare) {
				earlier, known := before[ref]
				now := tell(stored[ref])
				isAffected := slices.ContainsFunc(earlier.deps, func(dep entity.Dep) bool { return slices.Contains(affected, dep) })
				differs := earlier.isUsed != now.isUsed || !cmp.Equal(earlier.findings, now.findings)
				if known && differs && !isAffected && edit.Ref != ref { // a new version of an object is evaluated anyway
					t.Fatalf("%v: the findings were %v and are %v, and the edit affects none of %v", ref, earlier.findings, now.findings, earlier.deps)
				}
				before[ref] = now
			}
		}
	})
}
