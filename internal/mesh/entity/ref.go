package entity

import "cmp"

// Ref names one entry.
type Ref struct {
	Kind Kind
	Name Name
}

// Ref refers to an entry of the kind.
func (k Kind) Ref(name Name) Ref { return Ref{Kind: k, Name: name} }

// Compare orders by kind, then name.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(cmp.Compare(r.Kind, other.Kind), r.Name.Compare(other.Name))
}
