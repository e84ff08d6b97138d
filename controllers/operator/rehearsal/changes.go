package rehearsal

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
)

// Verb is what was done to an object.
type Verb string

// The verbs.
const (
	Create Verb = "Create"
	Update Verb = "Update"
	// Repair puts back what somebody else had changed; nothing else is wanted than before.
	Repair Verb = "Repair"
	Delete Verb = "Delete"
)

// Change is what the operator did to one object from the beginning of the rehearsal to its end.
type Change struct {
	Verb Verb
	Kind schema.GroupKind
	client.ObjectKey
	// Fields are the paths of the fields that an update or a repair changes, sorted.
	Fields []string
	// Before and After are the object as it is and as it would be; nil when there is none.
	Before, After map[string]any
}

// Changes are those that were not undone in the end, in the order in which the operator came to them. What it wrote into statuses is
// not among them.
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
			change.Fields = differing(o.before, o.now)
			hash, _, _ := unstructured.NestedString(o.before, "metadata", "annotations", apply.HashAnnotation)
			if o.applied != "" && o.applied == hash {
				change.Verb = Repair
			}
		}
		all = append(all, change)
	}
	return all
}

// Unchanged counts the objects that the operator has applied before and left as they are.
func (c *Cluster) Unchanged() int {
	n := len(c.seen)
	for k := range c.seen {
		if o := c.objects[k]; o != nil && o.byOperator {
			n--
		}
	}
	return n
}

// differing are the fields in which two states of an object differ, but for those that an API server or the Applier writes.
func differing(before, now map[string]any) []string {
	before, now = declared(before), declared(now)
	fields := slices.Concat(apply.Differences(before, now), apply.Differences(now, before))
	for i, field := range fields {
		if strings.HasPrefix(field, owners) {
			fields[i] = owners
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// owners is named as a whole: each part of it says the same.
const owners = "metadata.ownerReferences"

// declared is an object without what nobody declares.
func declared(content map[string]any) map[string]any {
	content = runtime.DeepCopyJSON(content)
	delete(content, "status")
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp"} {
		unstructured.RemoveNestedField(content, "metadata", field)
	}
	unstructured.RemoveNestedField(content, "metadata", "annotations", apply.HashAnnotation)
	return content
}
