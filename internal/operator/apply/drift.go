package apply

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.current.ignored) == 0 {
		return ""
	}
	objects := slices.Sorted(maps.Keys(s.current.ignored))
	return fmt.Sprintf("not updated because of the annotation %s=%s: %s", names.DriftAnnotation, names.DriftIgnore, lists.Join(objects, maxListed))
}

// RecordIgnored records an Event when an object begins or ceases to ignore drift. Apply calls it.
func (s *Session) RecordIgnored(object *unstructured.Unstructured, ignored bool) {
	name, recorder := describe(object), s.applier.recorder
	if ignored {
		s.mu.Lock()
		s.current.ignored[name] = true
		s.mu.Unlock()
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

// recordChange records an Event about the owner. The object is the related one, because the recorder aggregates Events of equal objects.
func (s *Session) recordChange(object *unstructured.Unstructured, outcome Outcome, fields []string) {
	name := describe(object)
	switch outcome {
	case Created:
		if s.earlier.applied[name] {
			s.applier.countRepair(object)
			s.applier.recorder.Eventf(s.owner, object, corev1.EventTypeWarning, string(DriftRepaired), "Recreate",
				"created %s again, which was deleted outside the operator", name)
			return
		}
		s.applier.recorder.Eventf(s.owner, object, corev1.EventTypeNormal, string(outcome), "Apply", "created %s", name)
	case Updated:
		s.applier.recorder.Eventf(s.owner, object, corev1.EventTypeNormal, string(outcome), "Apply", "updated %s", name)
	case DriftRepaired:
		s.applier.countRepair(object)
		// The recorder adds up Events with the same action, and keeps the text of the first.
		s.applier.recorder.Eventf(s.owner, object, corev1.EventTypeWarning, string(outcome), actionOf("Revert", fields),
			"reverted changes of %s that were made outside the operator: %s", name, lists.Join(fields, maxListed))
	}
}

func (a *Applier) countRepair(object *unstructured.Unstructured) {
	if a.Repairs != nil {
		a.Repairs(object.GetLabels()[names.MeshLabel], object.GetKind())
	}
}

// maxAction is the number of characters of an action that the API server accepts.
const maxAction = 128

// actionOf distinguishes Events about different fields of one object.
func actionOf(verb string, fields []string) string {
	action := verb + " " + strings.Join(fields, ",")
	return action[:min(len(action), maxAction)]
}

// maxListed keeps Events and conditions short: an Event holds at most 1024 characters.
const maxListed = 5

// ObjectError is the failure of one object.
type ObjectError struct {
	Kind schema.GroupVersionKind
	client.ObjectKey
	// Operation is the past participle of what failed, such as "applied" or "read".
	Operation string
	Err       error
}

// Error names the object.
func (e *ObjectError) Error() string {
	return fmt.Sprintf("%s cannot be %s: %v", describeKey(e.Kind.Kind, e.ObjectKey), e.Operation, e.Err)
}

// Unwrap returns the error of the API server, if it has one.
func (e *ObjectError) Unwrap() error { return e.Err }

func objectError(object *unstructured.Unstructured, operation string, err error) error {
	return &ObjectError{Kind: object.GroupVersionKind(), ObjectKey: client.ObjectKeyFromObject(object), Operation: operation, Err: err}
}

// describe is an object's kind and name for people.
func describe(object client.Object) string {
	return describeKey(object.GetObjectKind().GroupVersionKind().Kind, client.ObjectKeyFromObject(object))
}

func describeKey(kind string, key client.ObjectKey) string {
	return kind + " " + strings.TrimPrefix(key.String(), "/")
}
