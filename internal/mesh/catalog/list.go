package catalog

import "slices"

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
