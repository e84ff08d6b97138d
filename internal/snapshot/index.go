package snapshot

import "github.com/openservicemesh/osm-operator/internal/catalog"

// node is something that was built from the catalog and must be built again when what it read is touched: a stream's binding
// to its scope, a scope, or a set of endpoints.
type node interface{ comparable }

// index says which nodes of one kind read a dependency.
type index[N node] struct {
	readers map[catalog.Dep]map[N]struct{}
	reads   map[N][]catalog.Dep
}

func newIndex[N node]() *index[N] {
	return &index[N]{readers: map[catalog.Dep]map[N]struct{}{}, reads: map[N][]catalog.Dep{}}
}

// set replaces what a node has read.
func (x *index[N]) set(n N, deps []catalog.Dep) {
	if x.same(n, deps) {
		return
	}
	x.remove(n)
	for _, dep := range deps {
		readers := x.readers[dep]
		if readers == nil {
			readers = map[N]struct{}{}
			x.readers[dep] = readers
		}
		readers[n] = struct{}{}
	}
	x.reads[n] = deps
}

// same says whether a node reads exactly deps already.
func (x *index[N]) same(n N, deps []catalog.Dep) bool {
	if len(x.reads[n]) != len(deps) {
		return false
	}
	for _, dep := range deps {
		if _, ok := x.readers[dep][n]; !ok {
			return false
		}
	}
	return true
}

// remove forgets a node.
func (x *index[N]) remove(n N) {
	for _, dep := range x.reads[n] {
		readers := x.readers[dep]
		delete(readers, n)
		if len(readers) == 0 {
			delete(x.readers, dep)
		}
	}
	delete(x.reads, n)
}

// touched are the nodes that read any of deps, each once, in no particular order.
func (x *index[N]) touched(deps []catalog.Dep) map[N]struct{} {
	nodes := map[N]struct{}{}
	for _, dep := range deps {
		for n := range x.readers[dep] {
			nodes[n] = struct{}{}
		}
	}
	return nodes
}
