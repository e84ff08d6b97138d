package catalog

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// Index maps dependencies to the nodes that were built from them. Others only read its fields.
type Index[N comparable] struct {
	Dependents   map[entity.Dep]map[N]struct{}
	Dependencies map[N][]entity.Dep
}

// NewIndex returns an empty index.
func NewIndex[N comparable]() *Index[N] {
	return &Index[N]{Dependents: map[entity.Dep]map[N]struct{}{}, Dependencies: map[N][]entity.Dep{}}
}

// Set replaces the dependencies of a node. Deps must not have duplicates. Most dependencies are usually unchanged, so they are
// compared first: that avoids lookups in the large map of all dependents.
func (x *Index[N]) Set(n N, deps []entity.Dep) {
	removed := make(map[entity.Dep]struct{}, len(x.Dependencies[n]))
	for _, dep := range x.Dependencies[n] {
		removed[dep] = struct{}{}
	}
	for _, dep := range deps {
		if _, known := removed[dep]; known {
			delete(removed, dep)
		} else {
			x.addDependent(n, dep)
		}
	}
	for dep := range removed {
		x.removeDependent(n, dep)
	}
	x.Dependencies[n] = deps
}

// Remove removes a node.
func (x *Index[N]) Remove(n N) {
	for _, dep := range x.Dependencies[n] {
		x.removeDependent(n, dep)
	}
	delete(x.Dependencies, n)
}

func (x *Index[N]) addDependent(n N, dep entity.Dep) {
	nodes := x.Dependents[dep]
	if nodes == nil {
		nodes = map[N]struct{}{}
		x.Dependents[dep] = nodes
	}
	nodes[n] = struct{}{}
}

func (x *Index[N]) removeDependent(n N, dep entity.Dep) {
	nodes := x.Dependents[dep]
	delete(nodes, n)
	if len(nodes) == 0 {
		delete(x.Dependents, dep)
	}
}

// Affected returns the nodes that depend on any of deps.
func (x *Index[N]) Affected(deps []entity.Dep) map[N]struct{} {
	nodes := map[N]struct{}{}
	for _, dep := range deps {
		for n := range x.Dependents[dep] {
			nodes[n] = struct{}{}
		}
	}
	return nodes
}

// HasDependents reports whether any node depends on any of deps.
func (x *Index[N]) HasDependents(deps []entity.Dep) bool {
	return slices.ContainsFunc(deps, func(dep entity.Dep) bool { return len(x.Dependents[dep]) > 0 })
}

// DependsOnAny reports whether a node depends on any of deps.
func (x *Index[N]) DependsOnAny(n N, deps []entity.Dep) bool {
	return slices.ContainsFunc(deps, func(dep entity.Dep) bool {
		_, depends := x.Dependents[dep][n]
		return depends
	})
}
