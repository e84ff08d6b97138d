package catalog

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Catalog holds the entries of one mesh. It is not safe for concurrent use.
type Catalog struct {
	entries map[Ref]Entry

	// byDep has the entries of each dependency.
	byDep index[entriesOf]
	// policyKinds are the kinds of all excludable policies since the start.
	policyKinds map[Kind]struct{}
	// pods has the pods of each namespace, and podsAt the running pods of each address.
	pods   index[string]
	podsAt index[netip.Addr]
	// servicesAt has the Services with each virtual address.
	servicesAt index[netip.Addr]
	// servicesWith has the Services whose selectors have a label as their first one.
	servicesWith index[label]
	// handwrittenAt has the endpoints of Services without a selector at each address.
	handwrittenAt counts[netip.Addr, handwritten]
	identities    counts[Name, identity.ServiceAccount]
	servicesOf    counts[identity.ServiceAccount, Name]
	// podCounts has the number of pods that a Service selects.
	podCounts map[Name]int
	// osmSidecars has the number of those that have a sidecar of Open Service Mesh.
	osmSidecars map[Name]int
	sharing     sharing
	// targetPorts has the numbers of a port name in the pods of a Service.
	targetPorts counts[portName, uint16]
	// deps is the memory for the dependencies of the entry that changes.
	deps []Dep
}

// New returns an empty catalog, which denies everything.
func New() *Catalog {
	return &Catalog{
		entries:       map[Ref]Entry{},
		byDep:         index[entriesOf]{},
		policyKinds:   map[Kind]struct{}{},
		pods:          index[string]{},
		podsAt:        index[netip.Addr]{},
		servicesAt:    index[netip.Addr]{},
		servicesWith:  index[label]{},
		handwrittenAt: counts[netip.Addr, handwritten]{},
		identities:    counts[Name, identity.ServiceAccount]{},
		servicesOf:    counts[identity.ServiceAccount, Name]{},
		podCounts:     map[Name]int{},
		osmSidecars:   map[Name]int{},
		sharing:       newSharing(),
		targetPorts:   counts[portName, uint16]{},
	}
}

// Apply makes the changes in order and returns every affected dependency, sorted. A change that leaves an entry equal
// affects nothing.
func (c *Catalog) Apply(changes []Change) []Dep {
	affected := depSet{}
	for _, change := range changes {
		c.apply(change, affected)
	}
	return slices.SortedFunc(maps.Keys(affected), Dep.Compare)
}

func (c *Catalog) apply(change Change, affected depSet) {
	before, exists := c.entries[change.Ref]
	if !c.Differs(change) {
		return
	}
	concerned := c.concernedPods(before, change.Entry)
	if exists {
		c.unlink(before, affected)
		delete(c.entries, change.Ref)
	}
	if change.Entry != nil {
		c.entries[change.Ref] = change.Entry
		if _, required := change.Entry.(Required); change.Ref.Kind.IsPolicy() && !required {
			c.policyKinds[change.Ref.Kind] = struct{}{}
		}
		c.link(change.Entry, affected)
	}
	c.countMemberships(change.Ref, concerned, affected)
	c.affectOutside(before, change.Entry, affected)
	if exists != (change.Entry != nil) && change.Ref.Kind == KindService {
		affected.add(DepServices, Name{})
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

// depSet is a set of dependencies.
type depSet map[Dep]struct{}

func (t depSet) add(kind DepKind, name Name) { t[Dep{kind, name}] = struct{}{} }

func (t depSet) account(kind DepKind, sa identity.ServiceAccount) { t.add(kind, Name(sa)) }

func get[E Entry](c *Catalog, kind Kind, name Name) (E, bool) {
	entry, ok := c.entries[Ref{kind, name}].(E)
	return entry, ok
}

// entriesOf are the entries of a kind that have a dependency.
type entriesOf struct {
	dep  Dep
	kind Kind
}

// names returns the names of the entries of a kind that have a dependency.
func (c *Catalog) names(kind Kind, dep Dep) map[Name]struct{} { return c.byDep[entriesOf{dep, kind}] }

// sorted returns the entries of a kind that have a dependency, in order of their names.
func sorted[E Entry](c *Catalog, kind Kind, dep Dep) []E {
	return entriesNamed[E](c, kind, c.names(kind, dep))
}

// entriesNamed returns entries in order of their names.
func entriesNamed[E Entry](c *Catalog, kind Kind, names map[Name]struct{}) []E {
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

// index maps a property to the names of the entries that have it.
type index[K comparable] map[K]map[Name]struct{}

func (x index[K]) add(key K, name Name) {
	if x[key] == nil {
		x[key] = map[Name]struct{}{}
	}
	x[key][name] = struct{}{}
}

func (x index[K]) remove(key K, name Name) {
	delete(x[key], name)
	if len(x[key]) == 0 {
		delete(x, key)
	}
}

// counts maps a key to its values and how many objects contribute each value.
type counts[K, V comparable] map[K]map[V]int

// add changes the count by delta and reports whether the value appeared or disappeared.
func (c counts[K, V]) add(key K, value V, delta int) bool {
	if c[key] == nil {
		c[key] = map[V]int{}
	}
	before := c[key][value]
	after := before + delta
	if after > 0 {
		c[key][value] = after
	} else {
		delete(c[key], value)
	}
	if len(c[key]) == 0 {
		delete(c, key)
	}
	return (before > 0) != (after > 0)
}

// Entries returns all entries of some kinds, sorted by kind and name.
func (c *Catalog) Entries(kinds ...Kind) []Entry {
	var list []Entry
	for ref, entry := range c.entries {
		if slices.Contains(kinds, ref.Kind) {
			list = append(list, entry)
		}
	}
	slices.SortFunc(list, func(a, b Entry) int { return a.Ref().Compare(b.Ref()) })
	return list
}
