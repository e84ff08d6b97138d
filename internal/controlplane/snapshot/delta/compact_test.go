package delta

import (
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// hash is the version of the cluster with a number as its name.
func (c *conversation) hash(n int) resource.Version {
	return c.snapshot.contents[resourcetype.Clusters][fmt.Sprint(n)].Hash()
}

// keysOf yields the names of versions.
func keysOf(v *versions) iter.Seq[string] {
	return func(yield func(string) bool) {
		for name := range v.all() {
			if !yield(name) {
				return
			}
		}
	}
}

// TestVersionsOfABase checks that a base and its exceptions are like one map, whatever the base.
func TestVersionsOfABase(t *testing.T) {
	c := newConversation(t)
	for i := range 3 {
		c.put(resourcetype.Clusters, fmt.Sprint(i), fmt.Sprint(i))
	}
	version := func(i int) (v [1]string) {
		return [1]string{c.snapshot.contents[resourcetype.Clusters][fmt.Sprint(i)].Hash().String()}
	}
	content := func(v *versions) map[string][1]string {
		all := map[string][1]string{}
		for name, held := range v.all() {
			if got, known := v.get(name); !known || got != held {
				t.Errorf("%s is %s in the list, and %s, %t", name, held, got, known)
			}
			all[name] = [1]string{held.String()}
		}
		for range v.all() {
			break // a list that is left early ends
		}
		return all
	}
	base := NewBase(map[string]resource.Version{"a": c.hash(0), "b": c.hash(1), "gone": c.hash(2)})
	v := &versions{base: base}
	v.set("a", c.hash(0))
	v.set("b", c.hash(2))
	v.set("c", c.hash(2))
	v.remove("gone")
	v.remove("unknown")
	want := map[string][1]string{"a": version(0), "b": version(2), "c": version(2)}
	if diff := cmp.Diff(want, content(v)); diff != "" || len(v.exceptions) != 3 || v.len() != 6 || v.peak != 3 {
		t.Errorf("%d exceptions, at most %d names (-want +got):\n%s", len(v.exceptions), v.len(), diff)
	}
	if _, known := v.get("gone"); known {
		t.Error("a name that was removed is known")
	}
	v.set("b", c.hash(1))
	if v.remove("c"); len(v.exceptions) != 1 {
		t.Errorf("%d exceptions, want 1", len(v.exceptions))
	}
	delete(want, "c")
	want["b"] = version(1)
	for _, next := range []*Base{nil, NewBase(map[string]resource.Version{"b": c.hash(1), "other": c.hash(0)})} {
		v.rebase(next)
		if diff := cmp.Diff(want, content(v)); diff != "" {
			t.Errorf("with another base (-want +got):\n%s", diff)
		}
	}
	if len(v.exceptions) != 2 || (&versions{}).len() != 0 {
		t.Errorf("%d exceptions to another base, want 2", len(v.exceptions))
	}
}

// TestVersionsAreCompacted checks when a stream moves to another base, and when it releases memory.
func TestVersionsAreCompacted(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Clusters, "0", "0")
	names := func(n int) map[string]resource.Version {
		all := map[string]resource.Version{}
		for i := range n {
			all[fmt.Sprint(i)] = c.hash(0)
		}
		return all
	}
	next := NewBase(names(100))
	limit := MaxExceptions(nil)
	if got := MaxExceptions(next); limit != 4 || got != 4+100/16 {
		t.Errorf("%d and %d exceptions, want 4 and 10", limit, got)
	}
	few, many := &versions{exceptions: names(limit)}, &versions{exceptions: names(limit + 1)}
	if few.compact(next); few.base != nil {
		t.Error("a few exceptions need another base")
	}
	if many.compact(next); many.base != next || len(slices.Collect(keysOf(many))) != limit+1 || many.peak != len(many.exceptions) {
		t.Errorf("many exceptions have the base %v and the peak %d", many.base, many.peak)
	}
	if many.compact(nil); many.base != nil || len(many.exceptions) != limit+1 {
		t.Errorf("without a base there are %d exceptions", len(many.exceptions))
	}
	shrunk := &versions{exceptions: names(2), peak: 12}
	if shrunk.compact(nil); shrunk.peak != 2 || len(shrunk.exceptions) != 2 {
		t.Errorf("a map that was larger has the peak %d", shrunk.peak)
	}
	for name, v := range map[string]*versions{"a quarter": {exceptions: names(3), peak: 12}, "a small map": {exceptions: names(0), peak: 4}} {
		peak := v.peak
		if v.compact(nil); v.peak != peak {
			t.Errorf("%s is copied", name)
		}
	}
}

// TestChangesCountNames checks that all types count.
func TestChangesCountNames(t *testing.T) {
	var changes Changes
	if !changes.IsEmpty() {
		t.Error("no changes are not empty")
	}
	changes[resourcetype.Clusters], changes[resourcetype.Routes] = []string{"a"}, []string{"b", "c"}
	if changes.Len() != 3 || changes.IsEmpty() {
		t.Errorf("%d names, want 3", changes.Len())
	}
}
