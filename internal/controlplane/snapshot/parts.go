package snapshot

import (
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// sharedParts has what each Service adds to shared destinations. A change then costs what it affects, however many Services there are.
type sharedParts struct {
	built map[entity.Name]*scope.Part
	// index has what the parts were built from.
	index *catalog.Index[entity.Name]
}

func newSharedParts() sharedParts {
	return sharedParts{built: map[entity.Name]*scope.Part{}, index: catalog.NewIndex[entity.Name]()}
}

// drop removes the parts that depend on touched.
func (p *sharedParts) drop(touched []entity.Dep) {
	for name := range p.index.Affected(touched) {
		delete(p.built, name)
		p.index.Remove(name)
	}
}

// recordDeps records what new parts were built from, and forgets those that are gone.
func (p *sharedParts) recordDeps() {
	for name, part := range p.built {
		if _, known := p.index.Dependencies[name]; !known {
			p.index.Set(name, part.Deps)
		}
	}
	if len(p.index.Dependencies) == len(p.built) {
		return
	}
	for name := range p.index.Dependencies {
		if _, exists := p.built[name]; !exists {
			p.index.Remove(name)
		}
	}
}

// dependencies returns what shared destinations were built from. Some may occur twice.
func (x *sharedSets) dependencies(d *sharedDestinations) []entity.Dep {
	return slices.AppendSeq(slices.Clone(x.index.Dependencies[d]), maps.Keys(d.parts.index.Dependents))
}

// allDependencies returns what any shared destinations were built from. Some may occur twice.
func (x *sharedSets) allDependencies() []entity.Dep {
	var all []entity.Dep
	for _, d := range x.list {
		all = append(all, x.dependencies(d)...)
	}
	return all
}

// dependsOnAny reports whether shared destinations depend on any of deps.
func (x *sharedSets) dependsOnAny(d *sharedDestinations, deps []entity.Dep) bool {
	return x.index.DependsOnAny(d, deps) || d.parts.index.HasDependents(deps)
}

// scopeParts has what Services with many routes add to the destinations of a scope. A change of one route then costs the routes of its Service, and
// not those of all Services that the client may call.
type scopeParts struct {
	built map[entity.Name]*scope.Part
	// quarantined are the policies that they are built without. The map does not change.
	quarantined map[entity.Ref]struct{}
}

// without returns the parts that are built without some policies. The caller may add to them.
func (p *scopeParts) without(quarantined map[entity.Ref]struct{}) map[entity.Name]*scope.Part {
	if p.built == nil || !maps.Equal(p.quarantined, quarantined) {
		p.built, p.quarantined = map[entity.Name]*scope.Part{}, quarantined
	}
	return p.built
}

// dropParts drops the parts of scopes that depend on touched.
func dropParts(scopes map[*scopeNode]struct{}, touched []entity.Dep) {
	var changed map[entity.Dep]struct{}
	for n := range scopes {
		if len(n.parts.built) == 0 {
			continue
		}
		if changed == nil {
			changed = make(map[entity.Dep]struct{}, len(touched))
			for _, dep := range touched {
				changed[dep] = struct{}{}
			}
		}
		maps.DeleteFunc(n.parts.built, func(_ entity.Name, part *scope.Part) bool { return part.DependsOnAny(changed) })
	}
}
