package apply

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// IgnoresDrift reports whether the annotations of a live object keep the operator from updating it.
func IgnoresDrift(annotations map[string]string) bool {
	return annotations[names.DriftAnnotation] == names.DriftIgnore
}

// ignoresDrift is never true for a MeshRevision, because the operator stores the progress of an upgrade in it.
func ignoresDrift(desired *unstructured.Unstructured, live map[string]any) bool {
	if live == nil || desired.GetKind() == "MeshRevision" {
		return false
	}
	return IgnoresDrift((&unstructured.Unstructured{Object: live}).GetAnnotations())
}

// ignoredObjects holds, for each owner, the objects that ignored drift in the current and in the previous reconciliation. The
// difference decides about Events.
type ignoredObjects struct {
	mu                sync.Mutex
	current, previous map[types.UID]map[string]bool
}

func newIgnoredObjects() *ignoredObjects {
	return &ignoredObjects{current: map[types.UID]map[string]bool{}, previous: map[types.UID]map[string]bool{}}
}

// record reports whether the state of an object differs from that of the previous reconciliation.
func (i *ignoredObjects) record(owner types.UID, object string, ignored bool) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if ignored {
		if i.current[owner] == nil {
			i.current[owner] = map[string]bool{}
		}
		i.current[owner][object] = true
	}
	return i.previous[owner][object] != ignored
}

// BeginReconcile starts a reconciliation of an owner. IgnoredObjects counts from here.
func (a *Applier) BeginReconcile(owner client.Object) {
	a.known.begin(owner.GetUID())
	a.ignored.mu.Lock()
	defer a.ignored.mu.Unlock()
	delete(a.ignored.previous, owner.GetUID())
	if current, ok := a.ignored.current[owner.GetUID()]; ok {
		a.ignored.previous[owner.GetUID()] = current
		delete(a.ignored.current, owner.GetUID())
	}
}

// IgnoredObjects is a sentence about the objects of an owner that ignored drift since BeginReconcile, or empty.
func (a *Applier) IgnoredObjects(owner client.Object) string {
	a.ignored.mu.Lock()
	defer a.ignored.mu.Unlock()
	objects := slices.Sorted(maps.Keys(a.ignored.current[owner.GetUID()]))
	if len(objects) == 0 {
		return ""
	}
	return fmt.Sprintf("not updated because of the annotation %s=%s: %s", names.DriftAnnotation, names.DriftIgnore, abbreviate(objects))
}

// RecordIgnored records an Event when an object begins or ceases to ignore drift. Apply calls it.
func (a *Applier) RecordIgnored(owner client.Object, object *unstructured.Unstructured, ignored bool) {
	name := describe(object)
	switch {
	case !a.ignored.record(owner.GetUID(), name, ignored):
	case ignored:
		a.recorder.Eventf(owner, object, corev1.EventTypeWarning, string(DriftIgnored), "Ignore",
			"%s is not updated because of its annotation %s=%s: remove the annotation to have it updated again", name, names.DriftAnnotation, names.DriftIgnore)
	default:
		a.recorder.Eventf(owner, object, corev1.EventTypeNormal, "DriftIgnoreEnded", "Resume", "%s is updated again", name)
	}
}
