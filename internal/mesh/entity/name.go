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

// InstanceID identifies one life of an instance of a workload, so that one of the same name that is created later has another. For pods it is the UID that
// Kubernetes assigns, read from the object or from a token that is bound to it. It is opaque: nothing is read from its text.
type InstanceID string
