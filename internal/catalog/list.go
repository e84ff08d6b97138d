package catalog

import "slices"

// Entries are all entries of some kinds, sorted by kind and name. They are not changed later.
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
