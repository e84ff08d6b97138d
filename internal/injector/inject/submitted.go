package inject

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// submission knows which elements of a new pod its requester has written. The API server records the fields of a request in managedFields before the first
// admission step, and does not extend the record for what admission adds. A requester cannot leave a field out of the record: the API server computes it from
// the request, and removes it if it cannot.
type submission struct {
	// fields has the record of each manager. Without any, everything counts as submitted.
	fields []*fieldpath.Set
}

// readSubmission reads the record of a pod.
func readSubmission(pod *corev1.Pod) submission {
	var s submission
	for _, entry := range pod.ManagedFields {
		set := &fieldpath.Set{}
		if entry.FieldsV1 == nil || set.FromJSON(entry.FieldsV1.GetRawReader()) != nil {
			return submission{}
		}
		s.fields = append(s.fields, set)
	}
	return s
}

// has reports whether the requester wrote the element with this name of a list of the spec.
func (s submission) has(list, name string) bool {
	path := fieldpath.MakePathOrDie("spec", list, fieldpath.KeyByFields("name", name))
	return len(s.fields) == 0 || slices.ContainsFunc(s.fields, func(set *fieldpath.Set) bool { return touches(set, path) })
}

// touches reports whether a set has a path, or a field below it. A list that is a member without elements was recorded as a whole.
func touches(set *fieldpath.Set, path fieldpath.Path) bool {
	for _, element := range path[:len(path)-1] {
		below := set.WithPrefix(element)
		if set.Members.Has(element) && below.Empty() {
			return true
		}
		set = below
	}
	element := path[len(path)-1]
	return set.Members.Has(element) || !set.WithPrefix(element).Empty()
}
