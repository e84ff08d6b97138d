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
