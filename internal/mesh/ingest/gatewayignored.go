package ingest

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// ignoredByGateways are the fields of a Gateway without effect, sorted.
func ignoredByGateways() []string {
	return []string{
		"spec.addresses", "spec.allowedListeners", "spec.defaultScope", catalog.InfrastructureAnnotations, catalog.InfrastructureLabels,
		"spec.listeners.tls.options", "spec.tls.backend",
	}
}

// ignoredByRoutes are the fields of a route without effect, sorted.
func ignoredByRoutes() []string {
	return []string{"spec.useDefaultGateways"}
}

// setFields returns the paths that an object sets.
func setFields(u *unstructured.Unstructured, paths []string) []string {
	var set []string
	for _, path := range paths {
		if isSet(u.Object, strings.Split(path, ".")) {
			set = append(set, path)
		}
	}
	return set
}

// isSet reports whether a value has a field, in any element of lists. Empty values count as absent.
func isSet(value any, path []string) bool {
	switch v := value.(type) {
	case nil:
		return false
	case map[string]any:
		if len(path) > 0 {
			return isSet(v[path[0]], path[1:])
		}
		return len(v) > 0
	case []any:
		if len(path) > 0 {
			return slices.ContainsFunc(v, func(element any) bool { return isSet(element, path) })
		}
		return len(v) > 0
	}
	return len(path) == 0 && value != ""
}

// demandsClientCertificates reports whether a Gateway demands certificates of the clients of a listener, also if it would then admit others.
func demandsClientCertificates(spec *gatewayv1.GatewaySpec, l *gatewayv1.Listener) bool {
	if spec.TLS == nil || spec.TLS.Frontend == nil || l.Protocol != gatewayv1.HTTPSProtocolType {
		return false
	}
	for _, port := range spec.TLS.Frontend.PerPort {
		if port.Port == l.Port {
			return port.TLS.Validation != nil
		}
	}
	return spec.TLS.Frontend.Default.Validation != nil
}
