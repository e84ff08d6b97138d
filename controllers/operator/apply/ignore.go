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
)

// A user puts DriftAnnotation with DriftIgnore on an object to change it by hand for a while: the operator then leaves it as it is. It is
// still deleted with its mesh, and made again when somebody deletes it.
const (
	DriftAnnotation = "operator.openservicemesh.io/drift"
	DriftIgnore     = "ignore"
)

// Ignored says whether the annotations of a live object keep the operator from changing it.
func Ignored(annotations map[string]string) bool { return annotations[DriftAnnotation] == DriftIgnore }

// ignored says whether a live object, if there is one, is to be left alone. A MeshRevision never is: it is where the operator notes how
// far it is.
func ignored(desired *unstructured.Unstructured, live map[string]any) bool {
	if live == nil || desired.GetKind() == "MeshRevision" {
		return false
	}
	return Ignored((&unstructured.Unstructured{Object: live}).GetAnnotations())
}

// leftAlone remembers which objects of an owner were left alone when they were looked at last, so that each is told about once.
type leftAlone struct {
	mu      sync.Mutex
	byOwner map[types.UID]map[string]bool
}

// note notes whether an object was left alone, and says whether that is news.
func (l *leftAlone) note(owner types.UID, object string, alone bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byOwner[owner][object] == alone {
		return false
	}
	if !alone {
		delete(l.byOwner[owner], object)
		if len(l.byOwner[owner]) == 0 {
			delete(l.byOwner, owner)
		}
		return true
	}
	if l.byOwner[owner] == nil {
		l.byOwner[owner] = map[string]bool{}
	}
	l.byOwner[owner][object] = true
	return true
}

// LeftAlone says in a sentence which objects of an owner were left alone when they were looked at last; empty when none was.
func (a *Applier) LeftAlone(owner client.Object) string {
	a.alone.mu.Lock()
	defer a.alone.mu.Unlock()
	objects := slices.Sorted(maps.Keys(a.alone.byOwner[owner.GetUID()]))
	if len(objects) == 0 {
		return ""
	}
	return fmt.Sprintf("left alone because of the annotation %s=%s: %s", DriftAnnotation, DriftIgnore, short(objects))
}

// tellLeftAlone writes an Event when the operator begins to leave an object alone, and when it takes care of it again.
func (a *Applier) tellLeftAlone(owner client.Object, object *unstructured.Unstructured, alone bool) {
	what := describe(object)
	switch {
	case !a.alone.note(owner.GetUID(), what, alone):
	case alone:
		a.recorder.Eventf(owner, object, corev1.EventTypeWarning, string(LeftAlone), "Ignore",
			"%s is left as it is because of its annotation %s=%s: take that away to have it kept as declared", what, DriftAnnotation, DriftIgnore)
	default:
		a.recorder.Eventf(owner, object, corev1.EventTypeNormal, "TakenCareOf", "Resume", "%s is kept as declared again", what)
	}
}
