package rehearsal

import (
	"fmt"
	"maps"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Cluster is what differs from the cluster that is there.
type Cluster struct {
	scheme *runtime.Scheme
	mapper meta.RESTMapper
	// live reads what a cache may not hold: an object that exists is changed, and not created.
	live client.Reader
	// now is the clock of the rehearsal.
	now time.Time

	objects map[key]*object
	// order is that in which objects were changed first.
	order []key
	// seen are objects of the operator that were looked at, unchanged then.
	seen map[key]bool
	// writes counts those that changed something.
	writes int
}

// key names an object whatever its version.
type key struct {
	schema.GroupKind
	types.NamespacedName
}

// object is one that was changed.
type object struct {
	gvk schema.GroupVersionKind
	// before is what it was, nil when it did not exist; now is what it is, nil when it is gone.
	before, now map[string]any
	// byOperator is true when the operator has changed more than its status.
	byOperator bool
	// own are the fields that were applied last in the rehearsal, others those of others.
	own    tree
	others []tree
	// applied is the hash that was applied first, if it was by the operator's Applier.
	applied string
}

// New begins a rehearsal at a moment.
func New(scheme *runtime.Scheme, mapper meta.RESTMapper, live client.Reader, now time.Time) *Cluster {
	return &Cluster{scheme: scheme, mapper: mapper, live: live, now: now, objects: map[key]*object{}, seen: map[key]bool{}}
}

// Now is the clock of the rehearsal.
func (c *Cluster) Now() time.Time { return c.now }

// Pass lets time pass.
func (c *Cluster) Pass(d time.Duration) { c.now = c.now.Add(d) }

// Writes counts the writes that changed something.
func (c *Cluster) Writes() int { return c.writes }

// put keeps what an object is now; nil deletes it.
func (c *Cluster) put(k key, gvk schema.GroupVersionKind, before, now map[string]any, byOperator bool) {
	if reflect.DeepEqual(before, now) {
		return
	}
	c.writes++
	o := c.objects[k]
	if o == nil {
		o = &object{gvk: gvk, before: before}
		c.objects[k] = o
		c.order = append(c.order, k)
	}
	o.now = now
	o.byOperator = o.byOperator || byOperator
}

// born completes a new object as an API server does.
func (c *Cluster) born(content map[string]any) {
	u := &unstructured.Unstructured{Object: content}
	u.SetUID(types.UID(fmt.Sprintf("planned-%d", len(c.order)+1)))
	// Those who write only over what they have read ask for one.
	u.SetResourceVersion("1")
	u.SetCreationTimestamp(metav1.NewTime(c.now.Truncate(time.Second)))
	u.SetGeneration(1)
}

// aged counts the generation on when more than the metadata and the status differ.
func aged(before, now map[string]any) {
	if reflect.DeepEqual(substance(before), substance(now)) {
		return
	}
	u := &unstructured.Unstructured{Object: now}
	u.SetGeneration((&unstructured.Unstructured{Object: before}).GetGeneration() + 1)
}

// substance is an object without metadata and status.
func substance(content map[string]any) map[string]any {
	copied := maps.Clone(content)
	delete(copied, "metadata")
	delete(copied, "status")
	return copied
}
