package dataplane

import (
	"fmt"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// The kinds of other projects whose workloads are restarted. A cluster may serve none of them.
var (
	rolloutKind          = schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"}
	cloneSetKind         = schema.GroupVersionKind{Group: "apps.kruise.io", Version: "v1alpha1", Kind: "CloneSet"}
	kruiseSetKind        = schema.GroupVersionKind{Group: "apps.kruise.io", Version: "v1beta1", Kind: "StatefulSet"}
	deploymentConfigKind = schema.GroupVersionKind{Group: "apps.openshift.io", Version: "v1", Kind: "DeploymentConfig"}
	thirdPartyKinds      = []schema.GroupVersionKind{rolloutKind, cloneSetKind, kruiseSetKind, deploymentConfigKind}
)

// thirdPartyKind is the kind of a workload of another project; false for other workloads.
func thirdPartyKind(ref rollout.Ref) (schema.GroupVersionKind, bool) {
	for _, kind := range thirdPartyKinds {
		if nameOf(kind) == ref.Kind {
			return kind, true
		}
	}
	return schema.GroupVersionKind{}, false
}

// newUnstructured returns an empty object of a kind.
func newUnstructured(kind schema.GroupVersionKind, namespace, name string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	object.SetNamespace(namespace)
	object.SetName(name)
	return object
}

// stateOfThirdParty reads a workload of another project.
func stateOfThirdParty(o *unstructured.Unstructured) state {
	s := state{
		labels: o.GetLabels(), podLabels: textsIn(o, "spec", "template", "metadata", "labels"),
		restart: textsIn(o, "spec", "template", "metadata", "annotations")[names.RestartAnnotation],
	}
	desired, observed := int64(1), numberIn(o, "status", "observedGeneration") >= o.GetGeneration()
	if in(o, "spec", "replicas") != nil {
		desired = numberIn(o, "spec", "replicas")
	}
	// missing is how many of the desired replicas are not in a state.
	missing := func(state string) int { return int(desired - numberIn(o, "status", state)) }
	s.progress = progress{complete: observed && missing("replicas") == 0, desired: int(desired)}
	s.unobserved = !observed
	switch o.GroupVersionKind().GroupKind() {
	case rolloutKind.GroupKind():
		// Its pods are restarted without a new template, which would begin a canary of the application.
		s.restart = o.GetAnnotations()[names.RestartAnnotation]
		if s.podLabels == nil {
			s.podLabels = textsIn(o, "spec", "selector", "matchLabels") // the template is in another object
		}
		phase := textIn(o, "status", "phase")
		if phase == "Paused" {
			s.held = "its phase is Paused: its sidecars are upgraded when it is Healthy"
		}
		s.complete = observed && phase == "Healthy" && timeIn(o, "spec", "restartAt").Equal(timeIn(o, "status", "restartedAt"))
	case cloneSetKind.GroupKind():
		s.complete, s.unavailable = s.complete && missing("updatedReplicas") == 0, missing("availableReplicas")
		s.onDelete = in(o, "spec", "updateStrategy", "paused") == true || hasPartition(o, "spec", "updateStrategy", "partition") ||
			updatesInPlace(textIn(o, "spec", "updateStrategy", "type"))
	case kruiseSetKind.GroupKind():
		s.unavailable = missing("readyReplicas")
		if textIn(o, "status", "updateRevision") != textIn(o, "status", "currentRevision") {
			s.behind = missing("updatedReplicas")
		}
		rolling := []string{"spec", "updateStrategy", "rollingUpdate"}
		s.onDelete = textIn(o, "spec", "updateStrategy", "type") == "OnDelete" || in(o, append(rolling, "paused")...) == true ||
			hasPartition(o, append(rolling, "partition")...) || updatesInPlace(textIn(o, append(rolling, "podUpdatePolicy")...))
	case deploymentConfigKind.GroupKind():
		s.complete, s.unavailable = s.complete && missing("updatedReplicas") == 0, missing("availableReplicas")
		s.onDelete, s.atOnce = in(o, "spec", "paused") == true || !followsConfig(o), textIn(o, "spec", "strategy", "type") == "Recreate"
	}
	return s
}

// updatesInPlace reports whether OpenKruise gives existing pods a new annotation instead of replacing them.
func updatesInPlace(policy string) bool {
	return policy == "InPlaceIfPossible" || policy == "InPlaceOnly"
}

// hasPartition reports whether some pods keep an earlier template.
func hasPartition(o *unstructured.Unstructured, path ...string) bool {
	if text := textIn(o, path...); text != "" {
		return text != "0" && text != "0%"
	}
	return numberIn(o, path...) != 0
}

// followsConfig reports whether a changed template starts a rollout of a DeploymentConfig.
func followsConfig(o *unstructured.Unstructured) bool {
	triggers, found, _ := unstructured.NestedSlice(o.Object, "spec", "triggers")
	for _, trigger := range triggers {
		if fields, _ := trigger.(map[string]any); fields["type"] == "ConfigChange" {
			return true
		}
	}
	return !found
}

// restartPatch is the content of a merge patch that restarts a workload. kind is empty for the kinds of Kubernetes. annotation records the restart.
func restartPatch(kind schema.GroupVersionKind, resourceVersion, annotation string, at time.Time) string {
	if kind.GroupKind() == rolloutKind.GroupKind() {
		return fmt.Sprintf(`{"metadata":{"resourceVersion":%q,"annotations":{%q:%q}},"spec":{"restartAt":%q}}`,
			resourceVersion, names.RestartAnnotation, annotation, at.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf(`{"metadata":{"resourceVersion":%q},"spec":{"template":{"metadata":{"annotations":{%q:%q}}}}}`,
		resourceVersion, names.RestartAnnotation, annotation)
}

// stripThirdParty keeps the fields that stateOfThirdParty reads.
func stripThirdParty(o *unstructured.Unstructured) {
	spec, status := map[string]any{}, map[string]any{}
	for _, field := range []string{"replicas", "paused", "restartAt", "selector", "strategy", "updateStrategy", "triggers"} {
		if value := in(o, "spec", field); value != nil {
			spec[field] = value
		}
	}
	if metadata, ok := in(o, "spec", "template", "metadata").(map[string]any); ok {
		spec["template"] = map[string]any{"metadata": map[string]any{"labels": metadata["labels"], "annotations": onlyRestart(metadata["annotations"])}}
	}
	for _, field := range []string{
		"observedGeneration", "phase", "restartedAt", "replicas", "readyReplicas", "updatedReplicas", "availableReplicas", "updateRevision", "currentRevision",
	} {
		if value := in(o, "status", field); value != nil {
			status[field] = value
		}
	}
	annotation, restarted := o.GetAnnotations()[names.RestartAnnotation]
	o.SetManagedFields(nil)
	o.SetAnnotations(nil)
	if restarted {
		o.SetAnnotations(map[string]string{names.RestartAnnotation: annotation})
	}
	o.Object["spec"], o.Object["status"] = spec, status
}

// onlyRestart keeps the operator's annotation of a template.
func onlyRestart(annotations any) map[string]any {
	all, _ := annotations.(map[string]any)
	if value, found := all[names.RestartAnnotation]; found {
		return map[string]any{names.RestartAnnotation: value}
	}
	return map[string]any{}
}

// in returns the value at a path; nil without one.
func in(o *unstructured.Unstructured, path ...string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(o.Object, path...)
	return value
}

// textIn returns the text at a path; empty without one.
func textIn(o *unstructured.Unstructured, path ...string) string {
	text, _ := in(o, path...).(string)
	return text
}

// textsIn returns the texts at a path, by name; nil without any.
func textsIn(o *unstructured.Unstructured, path ...string) map[string]string {
	var texts map[string]string
	fields, _ := in(o, path...).(map[string]any)
	for name, value := range fields {
		if text, ok := value.(string); ok {
			if texts == nil {
				texts = map[string]string{}
			}
			texts[name] = text
		}
	}
	return texts
}

// numberIn returns the number at a path; 0 without one. Argo Rollouts writes generations as text.
func numberIn(o *unstructured.Unstructured, path ...string) int64 {
	switch value := in(o, path...).(type) {
	case int64:
		return value
	case float64:
		return int64(value)
	case string:
		number, err := strconv.ParseInt(value, 10, 64)
		if err == nil {
			return number
		}
	}
	return 0
}

// timeIn returns the time at a path; zero without one.
func timeIn(o *unstructured.Unstructured, path ...string) time.Time {
	at, _ := time.Parse(time.RFC3339, textIn(o, path...))
	return at
}
