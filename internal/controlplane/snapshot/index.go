package snapshot

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// index maps catalog dependencies to the nodes that were built from them: streams, scopes or endpoints.
type index[N comparable] struct {
	dependents   map[catalog.Dep]map[N]struct{}
	dependencies map[N][]catalog.Dep
}

func newIndex[N comparable]() *index[N] {
	return &index[N]{dependents: map[catalog.Dep]map[N]struct{}{}, dependencies: map[N][]catalog.Dep{}}
}

// set replaces the dependencies of a node. Deps must not have duplicates. Most dependencies are usually unchanged, so they are
// compared first: that avoids lookups in the large map of all dependents.
func (x *index[N]) set(n N, deps []catalog.Dep) {
	removed := make(map[catalog.Dep]struct{}, len(x.dependencies[n]))
	for _, dep := range x.dependencies[n] {
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
	x.dependencies[n] = deps
}

// remove removes a node.
func (x *index[N]) remove(n N) {
	for _, dep := range x.dependencies[n] {
		x.removeDependent(n, dep)
	}
	delete(x.dependencies, n)
}

func (x *index[N]) addDependent(n N, dep catalog.Dep) {
	nodes := x.dependents[dep]
	if nodes == nil {
		nodes = map[N]struct{}{}
		x.dependents[dep] = nodes
	}
	nodes[n] = struct{}{}
}

func (x *index[N]) removeDependent(n N, dep catalog.Dep) {
	nodes := x.dependents[dep]
	delete(nodes, n)
	if len(nodes) == 0 {
		delete(x.dependents, dep)
	}
}

// affected returns the nodes that depend on any of deps.
func (x *index[N]) affected(deps []catalog.Dep) map[N]struct{} {
	nodes := map[N]struct{}{}
	for _, dep := range deps {
		for n := range x.dependents[dep] {
			nodes[n] = struct{}{}
		}
	}
	return nodes
}

// hasDependents reports whether any node depends on any of deps.
func (x *index[N]) hasDependents(deps []catalog.Dep) bool {
	return slices.ContainsFunc(deps, func(dep catalog.Dep) bool { return len(x.dependents[dep]) > 0 })
}

// dependsOnAny reports whether a node depends on any of deps.
func (x *index[N]) dependsOnAny(n N, deps []catalog.Dep) bool {
	return slices.ContainsFunc(deps, func(dep catalog.Dep) bool {
		_, depends := x.dependents[dep][n]
		return depends
	})
}
