package entity

import "cmp"

// Ref names one entry.
type Ref struct {
	Kind Kind
	Name Name
}

// Compare orders by kind, then name.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(cmp.Compare(r.Kind, other.Kind), r.Name.Compare(other.Name))
}
