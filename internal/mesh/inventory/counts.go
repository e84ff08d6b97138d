package inventory

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
