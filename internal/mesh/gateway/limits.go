package gateway

import (
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

const (
	// MaxListeners is how many listeners the Gateways of one namespace can have in the ingress gateway. Each has a filter chain, and those of one port
	// share a resource.
	MaxListeners = 64
	// MaxCertificates is how many Secrets the Gateways of one namespace can refer to. Each is read again and again, because Secrets cannot be watched.
	MaxCertificates = 256
	// MaxAuthorities is how many ConfigMaps with authorities the Gateways of one namespace can refer to, and how many its BackendTLSPolicies. They are read
	// like Secrets.
	MaxAuthorities = 64
)

// Reasons of listeners beyond these limits.
const (
	// ReasonTooManyListeners means that the Gateways of a namespace have more than MaxListeners listeners.
	ReasonTooManyListeners gatewayv1.ListenerConditionReason = "TooManyListeners"
	// ReasonTooManyCertificates means that the Gateways of a namespace refer to more than MaxCertificates Secrets.
	ReasonTooManyCertificates gatewayv1.ListenerConditionReason = "TooManyCertificates"
	// ReasonTooManyAuthorities means that the Gateways of a namespace refer to more than MaxAuthorities ConfigMaps, or a listener to more than
	// catalog.MaxAuthoritiesBytes of certificates.
	ReasonTooManyAuthorities gatewayv1.ListenerConditionReason = "TooManyAuthorities"
)

// ReasonObjectRejected means that the API server rejects an object of a Gateway with pods of its own. The operator publishes its answer.
const ReasonObjectRejected gatewayv1.GatewayConditionReason = "ObjectRejected"

// ReasonNamespaceNotAllowed means that the Mesh does not permit Gateways in the namespace.
const ReasonNamespaceNotAllowed gatewayv1.ListenerConditionReason = "NamespaceNotAllowed"

// noEffect describes fields that are set and have no effect; empty without any.
func noEffect(fields []string) string {
	if len(fields) == 0 {
		return ""
	}
	return "These fields have no effect: " + strings.Join(fields, ", ") + "."
}

// withoutEffect describes what a Gateway sets without effect. Only objects of its own can have labels and annotations.
func (r *resolver) withoutEffect(g *catalog.Gateway) string {
	if !r.dedicated {
		return noEffect(g.Ignored)
	}
	fields := slices.DeleteFunc(slices.Clone(g.Ignored), func(field string) bool {
		return field == catalog.InfrastructureLabels || field == catalog.InfrastructureAnnotations
	})
	return strings.TrimSpace(omittedMetadata(r.view.GatewayClass(g.Class), g) + " " + noEffect(fields))
}

// checkNumber rejects a listener if its namespace has too many that are accepted.
func (r *resolver) checkNumber(namespace string) Verdict {
	if r.listeners[namespace] >= MaxListeners {
		return no(ReasonTooManyListeners, "The Gateways of namespace %s have more than %d listeners: use wildcards, or fewer hosts.", namespace, MaxListeners)
	}
	return yes(gatewayv1.ListenerReasonAccepted)
}
