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

// set replaces what a node has read. Deps has no element twice. Most of it is what the node has read before, so that is found
// out first, without a look at the large map of all readers.
func (x *index[N]) set(n N, deps []catalog.Dep) {
	gone := make(map[catalog.Dep]struct{}, len(x.reads[n]))
	for _, dep := range x.reads[n] {
		gone[dep] = struct{}{}
	}
	for _, dep := range deps {
		if _, known := gone[dep]; known {
			delete(gone, dep)
		} else {
			x.remember(n, dep)
		}
	}
	for dep := range gone {
		x.forget(n, dep)
	}
	x.reads[n] = deps
}

// remove forgets a node.
func (x *index[N]) remove(n N) {
	for _, dep := range x.reads[n] {
		x.forget(n, dep)
	}
	delete(x.reads, n)
}

func (x *index[N]) remember(n N, dep catalog.Dep) {
	readers := x.readers[dep]
	if readers == nil {
		readers = map[N]struct{}{}
		x.readers[dep] = readers
	}
	readers[n] = struct{}{}
}

func (x *index[N]) forget(n N, dep catalog.Dep) {
	readers := x.readers[dep]
	delete(readers, n)
	if len(readers) == 0 {
		delete(x.readers, dep)
	}
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
