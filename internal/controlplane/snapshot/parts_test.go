package snapshot

import (
	"fmt"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// depOn returns the dependency on a Service of namespace a.
func depOn(service string) entity.Dep {
	return entity.Dep{Kind: entity.DepService, Name: meshtest.Name("a", service)}
}

// TestScopePartsAreKept checks that the parts of a scope stay until it is built without other policies.
func TestScopePartsAreKept(t *testing.T) {
	var parts scopeParts
	one, two := entity.Ref{Kind: entity.KindTrafficSplit, Name: meshtest.Name("a", "one")}, entity.Ref{Kind: entity.KindTrafficSplit, Name: meshtest.Name("a", "two")}
	for _, step := range []struct {
		name        string
		quarantined []entity.Ref
		want        bool
	}{
		{"the first", nil, false},
		{"again", nil, true},
		{"without a policy", []entity.Ref{one}, false},
		{"without the same policy", []entity.Ref{one}, true},
		{"without another policy", []entity.Ref{two}, false},
		{"with all policies", nil, false},
	} {
		quarantined := map[entity.Ref]struct{}{}
		for _, ref := range step.quarantined {
			quarantined[ref] = struct{}{}
		}
		built := parts.without(quarantined)
		if got := len(built) > 0; got != step.want {
			t.Errorf("%s: the earlier parts are used: %t, want %t", step.name, got, step.want)
		}
		built[meshtest.Name("a", "server")] = &scope.Part{}
	}
}

// TestScopePartsThatDependOnAChangeAreDropped changes one Service. Scopes keep the parts of the others, and some scopes have no parts.
func TestScopePartsThatDependOnAChangeAreDropped(t *testing.T) {
	scopes := map[*scopeNode]struct{}{}
	for i := range 40 {
		n := &scopeNode{}
		if i%2 == 0 {
			parts := n.parts.without(nil)
			parts[meshtest.Name("a", "one")] = &scope.Part{Deps: []entity.Dep{depOn("one")}}
			parts[meshtest.Name("a", "two")] = &scope.Part{Deps: []entity.Dep{depOn("two"), depOn("more")}}
		}
		scopes[n] = struct{}{}
	}
	left := func() map[int]int {
		counts := map[int]int{}
		for n := range scopes {
			counts[len(n.parts.built)]++
		}
		return counts
	}
	for _, step := range []struct {
		touched []entity.Dep
		want    string
	}{
		{[]entity.Dep{depOn("other")}, "map[0:20 2:20]"},
		{[]entity.Dep{depOn("other"), depOn("one")}, "map[0:20 1:20]"},
		{[]entity.Dep{depOn("more")}, "map[0:40]"},
	} {
		dropParts(scopes, step.touched)
		if got := fmt.Sprint(left()); got != step.want {
			t.Errorf("after a change of %v, the scopes by their number of parts are %s, want %s", step.touched, got, step.want)
		}
	}
}

// TestSharedPartsAreRecorded checks which parts of shared destinations a change drops, and that those of Services that are gone leave nothing.
func TestSharedPartsAreRecorded(t *testing.T) {
	parts := newSharedParts()
	one, two := meshtest.Name("a", "one"), meshtest.Name("a", "two")
	recorded := func() string {
		var names []string
		for name := range parts.index.Dependencies {
			names = append(names, name.Name)
		}
		slices.Sort(names)
		return fmt.Sprint(names, len(parts.built), len(parts.index.Dependents))
	}
	for _, step := range []struct {
		name, want string
		do         func()
	}{
		{"two parts", "[one two] 2 3", func() {
			parts.built[one] = &scope.Part{Deps: []entity.Dep{depOn("one")}}
			parts.built[two] = &scope.Part{Deps: []entity.Dep{depOn("two"), depOn("more")}}
		}},
		{"nothing new", "[one two] 2 3", func() {}},
		{"another change", "[one two] 2 3", func() { parts.drop([]entity.Dep{depOn("other")}) }},
		{"a dropped part", "[one] 1 1", func() { parts.drop([]entity.Dep{depOn("more")}) }},
		{"the part with other dependencies", "[one two] 2 2", func() { parts.built[two] = &scope.Part{Deps: []entity.Dep{depOn("three")}} }},
		{"a Service that is gone", "[two] 1 1", func() { delete(parts.built, one) }},
		{"the last Service", "[] 0 0", func() { delete(parts.built, two) }},
	} {
		step.do()
		parts.recordDeps()
		if got := recorded(); got != step.want {
			t.Errorf("%s: the parts with dependencies, the number of parts and of dependencies are %s, want %s", step.name, got, step.want)
		}
	}
}

// TestSharedSetsKnowTheirDependencies checks what shared destinations depend on: what all clients have in common, and their parts.
func TestSharedSetsKnowTheirDependencies(t *testing.T) {
	sets := sharedSets{index: catalog.NewIndex[*sharedDestinations]()}
	for i, name := range []string{"one", "two"} {
		d := &sharedDestinations{parts: newSharedParts(), without: map[entity.Ref]struct{}{}}
		for n := range 2 - i { // the second set has fewer policies
			d.without[entity.Ref{Kind: entity.KindTrafficSplit, Name: meshtest.Name("a", fmt.Sprint(n))}] = struct{}{}
		}
		d.parts.built[meshtest.Name("a", name)] = &scope.Part{Deps: []entity.Dep{depOn("part of " + name)}}
		d.parts.recordDeps()
		sets.add(d)
		sets.index.Set(d, []entity.Dep{depOn("common of " + name)})
	}
	d := sets.list[1] // it has more policies
	all := map[string]bool{}
	for _, dep := range sets.allDependencies() {
		all[dep.Name.Name] = true
	}
	if want := map[string]bool{"part of one": true, "common of one": true, "part of two": true, "common of two": true}; fmt.Sprint(all) != fmt.Sprint(want) {
		t.Errorf("all sets depend on %v, want %v", all, want)
	}
	for name, want := range map[string]struct {
		depends  bool
		affected int
	}{"common of one": {true, 1}, "part of one": {true, 1}, "common of two": {false, 1}, "part of two": {false, 1}, "nothing": {false, 0}} {
		deps := []entity.Dep{depOn(name)}
		if got := sets.dependsOnAny(d, deps); got != want.depends {
			t.Errorf("the set of one depends on the %s: %t, want %t", name, got, want.depends)
		}
		affected := sets.affected(deps)
		if len(affected) != want.affected || want.affected > 0 && (affected[0] == d) != want.depends {
			t.Errorf("a change of the %s affects %d sets, and the set of one: %t; want %d and %t", name, len(affected), slices.Contains(affected, d), want.affected, want.depends)
		}
	}
	other := sets.list[0]
	sets.remove(d)
	if len(sets.list) != 1 || sets.list[0] != other || len(sets.index.Dependencies) != 1 {
		t.Errorf("after the removal of one of two sets, %d are left, and %d have dependencies; want the other one", len(sets.list), len(sets.index.Dependencies))
	}
}
