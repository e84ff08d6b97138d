package catalog

import (
	"maps"
	"reflect"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Catalog holds the entries of one mesh. It is not safe for concurrent use.
type Catalog struct {
	entries map[Ref]Entry

	pods        index[string]
	services    index[string]
	slicesOf    index[Name]
	targetsTo   index[identity.ServiceAccount]
	targetsFrom index[identity.ServiceAccount]
	splitsOf    index[Name]
	splitsWith  index[Name]
	retriesFrom index[identity.ServiceAccount]
	settingsOf  index[Name]
	// backpressuresOf is apart from settingsOf because an object of each kind may have the same name.
	backpressuresOf index[Name]
	backers         counts[Name, identity.ServiceAccount]
	servicesOf      counts[identity.ServiceAccount, Name]
	// outspoken are the namespaces with a word of their own on permissive mode.
	outspoken map[string]struct{}
}

// New makes an empty catalog. An empty catalog denies everything.
func New() *Catalog {
	return &Catalog{
		entries:         map[Ref]Entry{},
		pods:            index[string]{},
		services:        index[string]{},
		slicesOf:        index[Name]{},
		targetsTo:       index[identity.ServiceAccount]{},
		targetsFrom:     index[identity.ServiceAccount]{},
		splitsOf:        index[Name]{},
		splitsWith:      index[Name]{},
		retriesFrom:     index[identity.ServiceAccount]{},
		settingsOf:      index[Name]{},
		backpressuresOf: index[Name]{},
		backers:         counts[Name, identity.ServiceAccount]{},
		servicesOf:      counts[identity.ServiceAccount, Name]{},
		outspoken:       map[string]struct{}{},
	}
}

// Apply makes the changes in order and answers with every dependency they touched, sorted. A change that leaves an entry
// as it was touches nothing.
func (c *Catalog) Apply(changes []Change) []Dep {
	touched := touches{}
	for _, change := range changes {
		c.apply(change, touched)
	}
	return slices.SortedFunc(maps.Keys(touched), Dep.Compare)
}

func (c *Catalog) apply(change Change, touched touches) {
	before, existed := c.entries[change.Ref]
	if !c.Differs(change) {
		return
	}
	if existed {
		c.unlink(before, touched)
		delete(c.entries, change.Ref)
	}
	if change.Entry != nil {
		c.entries[change.Ref] = change.Entry
		c.link(change.Entry, touched)
	}
	if existed != (change.Entry != nil) && change.Ref.Kind == KindService {
		touched.add(DepServices, Name{})
	}
}

// Differs says whether a change would change anything.
func (c *Catalog) Differs(change Change) bool {
	before, existed := c.entries[change.Ref]
	if !existed || change.Entry == nil {
		return existed != (change.Entry != nil)
	}
	return !reflect.DeepEqual(before, change.Entry)
}

// touches collects dependencies.
type touches map[Dep]struct{}

func (t touches) add(kind DepKind, name Name) { t[Dep{kind, name}] = struct{}{} }

func (t touches) account(kind DepKind, sa identity.ServiceAccount) { t.add(kind, Name(sa)) }

func get[E Entry](c *Catalog, kind Kind, name Name) (E, bool) {
	entry, ok := c.entries[Ref{kind, name}].(E)
	return entry, ok
}

// sorted lists the entries that an index names, in order of their names.
func sorted[E Entry](c *Catalog, kind Kind, names map[Name]struct{}) []E {
	if len(names) == 0 {
		return nil // most questions about policies
	}
	list := make([]E, 0, len(names))
	for _, name := range slices.SortedFunc(maps.Keys(names), Name.Compare) {
		if entry, ok := get[E](c, kind, name); ok {
			list = append(list, entry)
		}
	}
	return list
}
