package verdict

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// failure is an answer that fits no mesh, or an edit that sidecars do not take.
type failure struct {
	text    string
	before  World
	edit    []catalog.Change
	request Request
}

func (s *step) failure(r Request, text string) *failure {
	return &failure{text: text, before: s.before.world, edit: s.edit, request: r}
}

// wrong is a failure because of what was seen.
func (s *step) wrong(sample sample, when string) *failure {
	r := s.requests[sample.request]
	return s.failure(r, fmt.Sprintf("%s, %s sees %q\n  before: %s\n  after:  %s\n  (%s after the edit, which had settled after %s)",
		when, r, sample.seen, s.old[sample.request], s.new[sample.request],
		sample.start.Sub(s.applied).Round(time.Millisecond), s.settled.Sub(s.applied).Round(time.Millisecond)))
}

// String is what happened, with the mesh and the edit as YAML.
func (f *failure) String() string {
	var text strings.Builder
	text.WriteString(f.text + "\n---\n# the mesh before the edit\n" + f.before.String() + "---\n# the edit\n")
	for _, c := range changes(f.before, f.before.with(f.edit)) {
		text.WriteString(document(c.Ref, c.Entry))
	}
	return text.String()
}

// repeated is how often the request of a failure is sent in turn, to hit the moment again.
const repeated = 5

// reduced is the failure with everything left out of the mesh and of the edit without which it happens all the same. Rapid's own
// way of shrinking needs hundreds of meshes, and each takes sidecars a while.
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

// again tries whether a request fails in a mesh.
func (n *Network) again(w World, edit []catalog.Change, r Request) *failure {
	if problem := n.reset(w); problem != "" {
		return nil
	}
	return n.try(edit, slices.Repeat([]Request{r}, repeated))
}
