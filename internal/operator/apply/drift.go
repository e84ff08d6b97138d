package apply

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

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

// IgnoredObjects is a sentence about the objects that ignored drift in this reconciliation, or empty.
func (s *Session) IgnoredObjects() string {
	if len(s.current.ignored) == 0 {
		return ""
	}
	objects := slices.Sorted(maps.Keys(s.current.ignored))
	return fmt.Sprintf("not updated because of the annotation %s=%s: %s", names.DriftAnnotation, names.DriftIgnore, abbreviate(objects))
}

// RecordIgnored records an Event when an object begins or ceases to ignore drift. Apply calls it.
func (s *Session) RecordIgnored(object *unstructured.Unstructured, ignored bool) {
	name, recorder := describe(object), s.applier.recorder
	if ignored {
		s.current.ignored[name] = true
	}
	s.applier.history.store(s.owner.GetUID(), s.current)
	switch {
	case s.earlier.ignored[name] == ignored:
	case ignored:
		recorder.Eventf(s.owner, object, corev1.EventTypeWarning, string(DriftIgnored), "Ignore",
			"%s is not updated because of its annotation %s=%s: remove the annotation to have it updated again", name, names.DriftAnnotation, names.DriftIgnore)
	default:
		recorder.Eventf(s.owner, object, corev1.EventTypeNormal, "DriftIgnoreEnded", "Resume", "%s is updated again", name)
	}
}
