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

// leftAlone remembers which objects of each owner were left alone, in the reconciliation that runs and in the one before, so that each is
// told about once.
type leftAlone struct {
	mu          sync.Mutex
	now, before map[types.UID]map[string]bool
}

func newLeftAlone() *leftAlone {
	return &leftAlone{now: map[types.UID]map[string]bool{}, before: map[types.UID]map[string]bool{}}
}

// note notes whether an object is left alone, and says whether that is news.
func (l *leftAlone) note(owner types.UID, object string, alone bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if alone {
		if l.now[owner] == nil {
			l.now[owner] = map[string]bool{}
		}
		l.now[owner][object] = true
	}
	return l.before[owner][object] != alone
}

// Begin begins a reconciliation of an owner: what was left alone until now may not exist any more.
func (a *Applier) Begin(owner client.Object) {
	a.alone.mu.Lock()
	defer a.alone.mu.Unlock()
	delete(a.alone.before, owner.GetUID())
	if was, ok := a.alone.now[owner.GetUID()]; ok {
		a.alone.before[owner.GetUID()] = was
		delete(a.alone.now, owner.GetUID())
	}
}

// LeftAlone says in a sentence which objects of an owner were left alone since Begin; empty when none was.
func (a *Applier) LeftAlone(owner client.Object) string {
	a.alone.mu.Lock()
	defer a.alone.mu.Unlock()
	objects := slices.Sorted(maps.Keys(a.alone.now[owner.GetUID()]))
	if len(objects) == 0 {
		return ""
	}
	return fmt.Sprintf("left alone because of the annotation %s=%s: %s", DriftAnnotation, DriftIgnore, short(objects))
}

// Notice notes whether an object of an owner is left alone, and writes an Event when that begins and when it ends. One calls it itself.
func (a *Applier) Notice(owner client.Object, object *unstructured.Unstructured, alone bool) {
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
