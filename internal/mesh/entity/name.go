package entity

import "cmp"

// Name is the namespace and name of an object.
type Name struct {
	Namespace string
	Name      string
}

// String is "<namespace>/<name>".
func (n Name) String() string { return n.Namespace + "/" + n.Name }

// Compare orders by namespace, then name.
func (n Name) Compare(other Name) int {
	return cmp.Or(cmp.Compare(n.Namespace, other.Namespace), cmp.Compare(n.Name, other.Name))
}
