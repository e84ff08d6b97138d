package entity

// Names maps a property to the names of the entities that have it.
type Names[K comparable] map[K]map[Name]struct{}

// Update adds a name if delta is positive, and else removes it. Keys without names are removed.
func (n Names[K]) Update(key K, name Name, delta int) {
	if delta > 0 {
		if n[key] == nil {
			n[key] = map[Name]struct{}{}
		}
		n[key][name] = struct{}{}
		return
	}
	delete(n[key], name)
	if len(n[key]) == 0 {
		delete(n, key)
	}
}
