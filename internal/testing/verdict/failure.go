package verdict

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// failure is an unexpected observation, or an edit that a sidecar rejects.
type failure struct {
	text    string
	before  State
	edit    []catalog.Change
	request Request
}

func (s *step) failure(r Request, text string) *failure {
	return &failure{text: text, before: s.before.state, edit: s.edit, request: r}
}

// unexpected returns the failure for an observation.
func (s *step) unexpected(sample sample, when string) *failure {
	r := s.requests[sample.request]
	return s.failure(r, fmt.Sprintf("%s, %s sees %q\n  before: %s\n  after:  %s\n  (%s after the edit, which was acknowledged after %s)",
		when, r, sample.seen, s.old[sample.request], s.new[sample.request],
		sample.start.Sub(s.applied).Round(time.Millisecond), s.acknowledged.Sub(s.applied).Round(time.Millisecond)))
}

// String describes the failure, with the mesh and the edit as YAML.
func (f *failure) String() string {
	var text strings.Builder
	text.WriteString(f.text + "\n---\n# the mesh before the edit\n" + f.before.String() + "---\n# the edit\n")
	for _, c := range changes(f.before, f.before.with(f.edit)) {
		text.WriteString(document(c.Ref, c.Entry))
	}
	return text.String()
}

// repeated is how often the request of a failure is sent, to reproduce a race.
const repeated = 5

// reduced removes all objects from the mesh and the edit that are not needed to reproduce the failure. Rapid's shrinking needs
// hundreds of meshes, which takes too long with real sidecars.
func (n *Network) reduced(f *failure) *failure {
	for i := 0; len(f.edit) > 1 && i < len(f.edit); i++ {
		if g := n.again(f.before, slices.Delete(slices.Clone(f.edit), i, i+1), f.request); g != nil {
			f, i = g, -1
		}
	}
	for _, ref := range slices.SortedFunc(maps.Keys(f.before), compareRefs) {
		if ref.Kind == catalog.KindPod {
			continue
		}
		without := f.before.with([]catalog.Change{{Ref: ref}})
		if g := n.again(without, f.edit, f.request); g != nil {
			f = g
		}
	}
	return f
}

// again reports whether a request fails again in a mesh.
func (n *Network) again(w State, edit []catalog.Change, r Request) *failure {
	if problem := n.reset(w); problem != "" {
		return nil
	}
	return n.try(edit, slices.Repeat([]Request{r}, repeated))
}
