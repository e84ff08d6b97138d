package catalog

import (
	"maps"
	"reflect"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// Catalog holds the entries of one mesh. It is not safe for concurrent use.
type Catalog struct {
	entries map[entity.Ref]Entry

	// byDep has the entries of each dependency.
	byDep entity.Names[entriesOf]
	// policyKinds are the kinds of all excludable policies since the start.
	policyKinds map[entity.Kind]struct{}
	// inventory has the pods, Services and EndpointSlices among the entries.
	inventory *inventory.Inventory
	// deps is the memory for the dependencies of the entry that changes.
	deps []entity.Dep
}

// New returns an empty catalog, which denies everything.
func New() *Catalog {
	return &Catalog{
		entries:     map[entity.Ref]Entry{},
		byDep:       entity.Names[entriesOf]{},
		policyKinds: map[entity.Kind]struct{}{},
		inventory:   inventory.New(),
	}
}

// Apply makes the changes in order and returns every affected dependency, sorted. A change that leaves an entry equal
// affects nothing.
func (c *Catalog) Apply(changes []Change) []entity.Dep {
	affected := entity.DepSet{}
	for _, change := range changes {
		c.apply(change, affected)
	}
	return slices.SortedFunc(maps.Keys(affected), entity.Dep.Compare)
}

func (c *Catalog) apply(change Change, affected entity.DepSet) {
	before, exists := c.entries[change.Ref]
	if !c.Differs(change) {
		return
	}
	if exists {
		c.updateIndex(before, -1, affected)
		delete(c.entries, change.Ref)
	}
	if change.Entry != nil {
		c.entries[change.Ref] = change.Entry
		if _, required := change.Entry.(Required); change.Ref.Kind.IsPolicy() && !required {
			c.policyKinds[change.Ref.Kind] = struct{}{}
		}
		c.updateIndex(change.Entry, 1, affected)
	}
	c.inventory.Replace(before, change.Entry, affected)
	c.affectOutside(before, change.Entry, affected)
	if exists != (change.Entry != nil) && change.Ref.Kind == entity.KindService {
		affected.Add(entity.Dep{Kind: entity.DepServices})
	}
}

// Differs reports whether a change would change anything.
func (c *Catalog) Differs(change Change) bool {
	before, exists := c.entries[change.Ref]
	if !exists || change.Entry == nil {
		return exists != (change.Entry != nil)
	}
	return !reflect.DeepEqual(before, change.Entry)
}

func get[E Entry](c *Catalog, kind entity.Kind, name entity.Name) (E, bool) {
	entry, ok := c.entries[entity.Ref{Kind: kind, Name: name}].(E)
	return entry, ok
}

// entriesOf are the entries of a kind that have a dependency.
type entriesOf struct {
	dep  entity.Dep
	kind entity.Kind
}

// names returns the names of the entries of a kind that have a dependency.
func (c *Catalog) names(kind entity.Kind, dep entity.Dep) map[entity.Name]struct{} {
	return c.byDep[entriesOf{dep, kind}]
}

// sorted returns the entries of a kind that have a dependency, in order of their names.
func sorted[E Entry](c *Catalog, kind entity.Kind, dep entity.Dep) []E {
	names := c.names(kind, dep)
	if len(names) == 0 {
		return nil // the most frequent case for policies
	}
	list := make([]E, 0, len(names))
	for name := range names {
		if entry, ok := get[E](c, kind, name); ok {
			list = append(list, entry)
		}
	}
	slices.SortFunc(list, func(a, b E) int { return a.Ref().Name.Compare(b.Ref().Name) })
	return list
}

// PodsIn returns the number of pods of a namespace.
func (c *Catalog) PodsIn(namespace string) int { return c.inventory.CountIn(namespace) }

// Entries returns all entries of some kinds, sorted by kind and name.
func (c *Catalog) Entries(kinds ...entity.Kind) []Entry {
	var list []Entry
	for ref, entry := range c.entries {
		if slices.Contains(kinds, ref.Kind) {
			list = append(list, entry)
		}
	}
	slices.SortFunc(list, func(a, b Entry) int { return a.Ref().Compare(b.Ref()) })
	return list
}
