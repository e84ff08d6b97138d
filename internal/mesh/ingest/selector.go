package ingest

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// PodSelector reads labels of pods. The effect describes an object with an invalid label.
func PodSelector(labels map[string]string, effect string, found *Problems) (map[string]string, bool) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		value := labels[key]
		if len(validation.IsQualifiedName(key)) > 0 || len(validation.IsValidLabelValue(value)) > 0 {
			found.Reject(ReasonInvalidName, "spec.selector has %.80q: %.80q, which is not a label, so this object %s: write labels of pods.", key, value, effect)
			return nil, false
		}
	}
	if len(labels) == 0 {
		return nil, true
	}
	return labels, true
}

// ExtensionRef reads a reference to an ExtensionService, by default in the namespace of the policy.
func ExtensionRef(path string, ref policyv1alpha1.ExtensionServiceRef, namespace string, found *Problems) entity.Name {
	name := entity.Name(ref)
	if name.Namespace == "" {
		name.Namespace = namespace
	}
	if len(validation.IsDNS1123Subdomain(name.Name)) > 0 || len(validation.IsDNS1123Label(name.Namespace)) > 0 {
		found.Reject(ReasonInvalidName, "%s names %.80q in the namespace %.80q, which no ExtensionService can have: write its name and namespace.", path, name.Name, name.Namespace)
		return entity.Name{}
	}
	return name
}
