package ingest

import (
	"maps"
	"slices"

	accessv1alpha3 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/access/v1alpha3"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// splitHeaders returns the spec of an HTTPRouteGroup without the headers of its matches, and the headers by match. The SDK
// type cannot hold headers: it accepts only the list form, and of two expressions for one header it keeps the last.
func splitHeaders(spec any) (any, []any) {
	fields, _ := spec.(map[string]any)
	matches, ok := fields["matches"].([]any)
	if !ok {
		return spec, nil
	}
	matches = slices.Clone(matches)
	headers := make([]any, len(matches))
	for i, item := range matches {
		if match, ok := item.(map[string]any); ok {
			headers[i] = match["headers"]
			match = maps.Clone(match)
			delete(match, "headers")
			matches[i] = match
		}
	}
	fields = maps.Clone(fields)
	fields["matches"] = matches
	return fields, headers
}

// serviceAccount reads a reference to a service account. defaultNamespace applies to a reference without a namespace; when it
// is empty, the reference must have one. Names that no Kubernetes object can have are rejected: with dots in a namespace, two
// service accounts would share a principal.
func serviceAccount(path string, subject accessv1alpha3.IdentityBindingSubject, defaultNamespace string, found *problems) (identity.ServiceAccount, bool) {
	sa := identity.ServiceAccount{Namespace: subject.Namespace, Name: subject.Name}
	if sa.Namespace == "" {
		sa.Namespace = defaultNamespace
	}
	switch {
	case subject.Kind != "ServiceAccount":
		found.reject(ReasonUnsupported, "%s has the kind %.40q, which is not acted on: use ServiceAccount.", path, subject.Kind)
	case sa.Namespace == "":
		found.reject(ReasonInvalidName, "%s has no namespace, so it is ignored: write the namespace of the service account.", path)
	case len(validation.IsDNS1123Label(sa.Namespace)) > 0:
		found.reject(ReasonInvalidName, "%s.namespace %.80q is not the name of a namespace, so it is ignored.", path, sa.Namespace)
	case len(validation.IsDNS1123Subdomain(sa.Name)) > 0:
		found.reject(ReasonInvalidName, "%s.name %.80q is not the name of a service account, so it is ignored.", path, sa.Name)
	default:
		return sa, true
	}
	return identity.ServiceAccount{}, false
}
