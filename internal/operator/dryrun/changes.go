package dryrun

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/apply"
)

// Verb is the kind of a change.
type Verb string

// The verbs.
const (
	Create Verb = "Create"
	Update Verb = "Update"
	// Repair reverts a change that was made outside the operator. The applied configuration is the same as before.
	Repair Verb = "Repair"
	Delete Verb = "Delete"
)

// Change is the difference of one object between the real and the simulated cluster.
type Change struct {
	Verb Verb
	Kind schema.GroupKind
	client.ObjectKey
	// Fields are the sorted paths of the fields that an update or a repair changes.
	Fields []string
	// Before is the real object, After the simulated one. Either is nil when the object does not exist.
	Before, After map[string]any
}

// Changes returns the changes in the order in which the objects were first written. Statuses are not included.
func (c *Cluster) Changes() []Change {
	var all []Change
	for _, k := range c.order {
		o := c.objects[k]
		if !o.byOperator || o.before == nil && o.now == nil {
			continue
		}
		change := Change{Verb: Update, Kind: k.GroupKind, ObjectKey: k.NamespacedName, Before: o.before, After: o.now}
		switch {
		case o.before == nil:
			change.Verb = Create
		case o.now == nil:
			change.Verb = Delete
		default:
			change.Fields = changedFields(o.before, o.now)
			hash, _, _ := unstructured.NestedString(o.before, "metadata", "annotations", apply.HashAnnotation)
			if o.applied != "" && o.applied == hash {
				change.Verb = Repair
			}
		}
		all = append(all, change)
	}
	return all
}

// Unchanged counts the objects that the operator applied earlier and that the dry run read but did not change.
func (c *Cluster) Unchanged() int {
	n := len(c.seen)
	for k := range c.seen {
		if o := c.objects[k]; o != nil && o.byOperator {
			n--
		}
	}
	return n
}

// ownerReferences are reported as one field.
const ownerReferences = "metadata.ownerReferences"

// changedFields returns the fields that differ, except for those that an API server or the Applier writes.
func changedFields(before, now map[string]any) []string {
	before, now = configuration(before), configuration(now)
	fields := slices.Concat(apply.Differences(before, now), apply.Differences(now, before))
	for i, field := range fields {
		if strings.HasPrefix(field, ownerReferences) {
			fields[i] = ownerReferences
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// configuration is an object without the fields that an API server or the Applier writes.
func configuration(content map[string]any) map[string]any {
	content = runtime.DeepCopyJSON(content)
	delete(content, "status")
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp"} {
		unstructured.RemoveNestedField(content, "metadata", field)
	}
	unstructured.RemoveNestedField(content, "metadata", "annotations", apply.HashAnnotation)
	return content
}
