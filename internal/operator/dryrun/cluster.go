package dryrun

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Cluster is a simulated cluster: the changes to a real one, kept in memory, and a clock.
type Cluster struct {
	scheme *runtime.Scheme
	mapper meta.RESTMapper
	// live reads objects from the API server before their first change.
	live client.Reader
	now  time.Time

	objects map[key]*object
	// order holds the keys of objects in the order of their first change.
	order []key
	// seen holds the operator's objects that were read before any change of them.
	seen map[key]bool
	// writes counts the writes that changed something.
	writes int
}

// key names an object in any version.
type key struct {
	schema.GroupKind
	types.NamespacedName
}

// object is a changed object.
type object struct {
	gvk schema.GroupVersionKind
	// before is the real object, nil when it does not exist; now is the simulated one, nil when it was deleted.
	before, now map[string]any
	// byOperator is true after a change of more than the status.
	byOperator bool
	// applied is the hash that the Applier wrote first.
	applied string
}

// New returns a simulated cluster without changes whose clock is at now.
func New(scheme *runtime.Scheme, mapper meta.RESTMapper, live client.Reader, now time.Time) *Cluster {
	return &Cluster{scheme: scheme, mapper: mapper, live: live, now: now, objects: map[key]*object{}, seen: map[key]bool{}}
}

// Now returns the time of the simulated clock.
func (c *Cluster) Now() time.Time { return c.now }

// AdvanceClock moves the simulated clock. The gates of upgrades count as evaluated in the meantime, as by an operator that runs: the time that
// the clock skips is not an absence of the operator.
func (c *Cluster) AdvanceClock(d time.Duration) {
	c.now = c.now.Add(d)
	for k, o := range c.objects {
		if k.Kind == "MeshRevision" {
			o.now = observedAt(o.now, c.now)
		}
	}
}

// observedAt is a MeshRevision whose gates were evaluated at a time, if they were evaluated at all.
func observedAt(content map[string]any, at time.Time) map[string]any {
	status, _, _ := unstructured.NestedMap(content, "status")
	if status["observedTime"] == nil {
		return content
	}
	status["observedTime"] = at.UTC().Format(time.RFC3339)
	content = maps.Clone(content)
	content["status"] = status
	return content
}

// Writes counts the writes that changed something.
func (c *Cluster) Writes() int { return c.writes }

// put keeps the new content of an object; nil deletes it. A change of managed fields alone is not counted.
func (c *Cluster) put(k key, gvk schema.GroupVersionKind, before, now map[string]any, byOperator bool) {
	o := c.objects[k]
	if equalContent(before, now) {
		if o != nil {
			o.now = now
		}
		return
	}
	c.writes++
	if o == nil {
		o = &object{gvk: gvk, before: before}
		c.objects[k] = o
		c.order = append(c.order, k)
	}
	o.now = now
	o.byOperator = o.byOperator || byOperator
}

// equalContent compares objects without their managed fields, which hold the time of the real clock.
func equalContent(a, b map[string]any) bool {
	return (a == nil) == (b == nil) && reflect.DeepEqual(withoutManagedFields(a), withoutManagedFields(b))
}

func withoutManagedFields(content map[string]any) map[string]any {
	metadata, ok := content["metadata"].(map[string]any)
	if !ok {
		return content
	}
	content, metadata = maps.Clone(content), maps.Clone(metadata)
	delete(metadata, "managedFields")
	content["metadata"] = metadata
	return content
}

// initialize sets the metadata that an API server gives to a new object.
func (c *Cluster) initialize(content map[string]any) {
	u := &unstructured.Unstructured{Object: content}
	u.SetUID(types.UID(fmt.Sprintf("planned-%d", len(c.order)+1)))
	// Optimistic locking needs a version.
	u.SetResourceVersion("1")
	u.SetCreationTimestamp(metav1.NewTime(c.now.Truncate(time.Second)))
	u.SetGeneration(1)
}

// updateGeneration increments the generation when more than the metadata and the status differ.
func updateGeneration(before, now map[string]any) {
	if reflect.DeepEqual(withoutMetadata(before), withoutMetadata(now)) {
		return
	}
	u := &unstructured.Unstructured{Object: now}
	u.SetGeneration((&unstructured.Unstructured{Object: before}).GetGeneration() + 1)
}

// withoutMetadata is an object without metadata and status.
func withoutMetadata(content map[string]any) map[string]any {
	copied := maps.Clone(content)
	delete(copied, "metadata")
	delete(copied, "status")
	return copied
}

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
	return lists.Unique(fields)
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
