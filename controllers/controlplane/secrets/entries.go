package secrets

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// Entries are the catalog entries of Secrets. The zero value has none.
type Entries struct {
	known map[catalog.Name]catalog.Change
}

// Update reads the entries of all names. It returns their changes, and those that remove entries that no name has any more. A Secret that
// cannot be read now keeps its last entry.
func (e *Entries) Update(all []catalog.Name, read func(catalog.Name) (catalog.Entry, error)) (current, removed []catalog.Change, failed error) {
	next := map[catalog.Name]catalog.Change{}
	for _, name := range all {
		if _, done := next[name]; done {
			continue
		}
		entry, err := read(name)
		change, known := e.known[name]
		if err != nil {
			failed = err
		} else {
			change, known = catalog.Set(entry), true
		}
		if known {
			next[name] = change
			current = append(current, change)
		}
	}
	for name, change := range e.known {
		if _, used := next[name]; !used {
			removed = append(removed, catalog.Change{Ref: change.Ref})
		}
	}
	e.known = next
	return current, removed, failed
}
