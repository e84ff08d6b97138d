package ingest

import (
	"maps"
	"slices"

	accessv1alpha3 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/access/v1alpha3"
	specsv1alpha4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/specs/v1alpha4"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
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

// TCPRoute reads an SMI TCPRoute (specs.smi-spec.io/v1alpha4), whose matches field is one object. A route with an
// invalid port has no entry: no ports means every port, so skipping the invalid one could allow all.
func TCPRoute(u *unstructured.Unstructured) (*catalog.TCPRoute, []Problem) {
	var found problems
	spec, ok := decodeSpec[specsv1alpha4.TCPRouteSpec](specOf(u), &found)
	if !ok {
		return nil, found
	}
	route := &catalog.TCPRoute{Name: nameOf(u)}
	for _, port := range spec.Matches.Ports {
		if port < 1 || port > 65535 {
			found.reject(ReasonInvalidPort, "spec.matches.ports has %d, which is not a port, so this TCPRoute is not used: write numbers from 1 to 65535.", port)
			continue
		}
		route.Ports = append(route.Ports, uint16(port))
	}
	if len(found) > 0 {
		return nil, found
	}
	slices.Sort(route.Ports)
	route.Ports = slices.Compact(route.Ports)
	return route, nil
}

// UDPRoute validates an SMI UDPRoute (specs.smi-spec.io/v1alpha4). It has no entry, because sidecars do not intercept
// UDP.
func UDPRoute(*unstructured.Unstructured) []Problem {
	var found problems
	found.warn(ReasonNotCaptured, "Sidecars do not intercept UDP, so this UDPRoute is not enforced, and UDP traffic bypasses the mesh: block it with a NetworkPolicy if necessary.")
	return found
}
