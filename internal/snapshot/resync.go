package snapshot

import (
	"maps"
	"slices"
)

// Resync builds everything again from the catalog, also what nothing has touched, and sends what differs: nothing, unless a
// dependency was missed. It costs what a change of the whole mesh costs.
func (s *Store) Resync() {
	s.post(func() {
		clear(s.common.contents)
		for _, n := range s.scopes {
			n.separate = false // what is equal to the last scope is translated all the same
		}
		touched := slices.Collect(maps.Keys(s.readsOfScopes.readers))
		touched = slices.AppendSeq(touched, maps.Keys(s.readsOfEndpoints.readers))
		touched = slices.AppendSeq(touched, maps.Keys(s.readsOfStreams.readers))
		touched = slices.AppendSeq(touched, maps.Keys(s.common.reads.readers))
		s.update(touched)
	})
}
