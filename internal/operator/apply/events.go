package apply

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

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
			"reverted changes of %s that were made outside the operator: %s", name, abbreviate(fields))
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

// abbreviate lists the first items and counts the rest.
func abbreviate(items []string) string {
	if len(items) > maxListed {
		return fmt.Sprintf("%s and %d more", strings.Join(items[:maxListed], ", "), len(items)-maxListed)
	}
	return strings.Join(items, ", ")
}
