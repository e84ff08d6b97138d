package catalog

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// updateIndex adds an entry to the index of dependencies, or removes it if delta is below 0. It adds the dependencies of the entry to
// affected, so replacing an entry affects the dependencies of its old and its new version.
func (c *Catalog) updateIndex(entry Entry, delta int, affected entity.DepSet) {
	ref := entry.Ref()
	c.deps = entry.Deps(c.deps[:0])
	for _, dep := range c.deps {
		affected.Add(dep)
		if isIndexed(ref.Kind) {
			c.byDep.Update(entriesOf{dep, ref.Kind}, ref.Name, delta)
		}
	}
	if namespace, ok := entry.(*Namespace); ok {
		c.affectNamespace(namespace.Name, affected)
	}
}

// isIndexed reports whether entries of a kind are found by their dependencies. The inventory finds the others, and accounts are found by their names.
func isIndexed(kind entity.Kind) bool {
	switch kind {
	case entity.KindPod, entity.KindService, entity.KindEndpointSlice, entity.KindServiceAccount:
		return false
	}
	return true
}

// affectNamespace affects every Service and pod of a namespace, because joining or leaving the mesh changes all of them.
func (c *Catalog) affectNamespace(namespace string, affected entity.DepSet) {
	for _, name := range c.inventory.ServicesIn(namespace) {
		affected.Add(entity.DepService.Of(name))
		affected.Add(entity.DepEndpoints.Of(name))
		affected.Add(entity.Dep{Kind: entity.DepServicesOutside})
		for _, account := range c.inventory.Identities(name) {
			affected.Add(entity.DepServicesOf.Of(entity.Name(account)))
		}
	}
	for _, instance := range c.inventory.InstancesIn(namespace) {
		affected.Add(entity.DepPod.Of(instance.Name))
	}
}
