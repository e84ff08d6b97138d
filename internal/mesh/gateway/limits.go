package gateway

import (
	"maps"
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
)

// Reasons of listeners beyond these limits.
const (
	// ReasonTooManyListeners means that the Gateways of a namespace have more than MaxListeners listeners.
	ReasonTooManyListeners gatewayv1.ListenerConditionReason = "TooManyListeners"
	// ReasonTooManyCertificates means that the Gateways of a namespace refer to more than MaxCertificates Secrets.
	ReasonTooManyCertificates gatewayv1.ListenerConditionReason = "TooManyCertificates"
)

// ReasonNamespaceNotAllowed means that the Mesh does not permit Gateways in the namespace.
const ReasonNamespaceNotAllowed gatewayv1.ListenerConditionReason = "NamespaceNotAllowed"

// ReasonUnsupportedValue means that a listener would not be as safe as its Gateway demands.
const ReasonUnsupportedValue gatewayv1.ListenerConditionReason = "UnsupportedValue"

// noEffect describes fields that are set and have no effect; empty without any.
func noEffect(fields []string) string {
	if len(fields) == 0 {
		return ""
	}
	return "These fields have no effect: " + strings.Join(fields, ", ") + "."
}

// ignored are the fields of a Gateway without effect. Only objects of its own can have labels and annotations.
func (r *resolver) ignored(g *catalog.Gateway) []string {
	if !r.dedicated {
		return g.Ignored
	}
	return slices.DeleteFunc(slices.Clone(g.Ignored), func(field string) bool {
		return field == catalog.InfrastructureLabels || field == catalog.InfrastructureAnnotations
	})
}

// checkNumber rejects a listener if its namespace has too many that are accepted.
func (r *resolver) checkNumber(namespace string) Verdict {
	if r.listeners[namespace] >= MaxListeners {
		return no(ReasonTooManyListeners, "The Gateways of namespace %s have more than %d listeners: use wildcards, or fewer hosts.", namespace, MaxListeners)
	}
	return yes(gatewayv1.ListenerReasonAccepted)
}

// Certificates returns the Secrets that Gateways of this mesh refer to and may use, sorted, within the limit of each namespace.
func Certificates(v *catalog.View) []catalog.Name {
	all := map[catalog.Name]struct{}{}
	for _, names := range certificatesByNamespace(v) {
		maps.Copy(all, names)
	}
	return slices.SortedFunc(maps.Keys(all), catalog.Name.Compare)
}

type certificatesKey struct{}

// certificatesByNamespace returns the Secrets that the Gateways of each namespace may use. Those of older Gateways come first.
func certificatesByNamespace(v *catalog.View) map[string]map[catalog.Name]struct{} {
	return catalog.Memo(v, certificatesKey{}, func() map[string]map[catalog.Name]struct{} {
		all := map[string]map[catalog.Name]struct{}{}
		for _, g := range v.Gateways() {
			namespace := g.Name.Namespace
			if all[namespace] == nil {
				all[namespace] = map[catalog.Name]struct{}{}
			}
			for i := range g.Listeners {
				for _, name := range g.Listeners[i].Certificates {
					if v.MayHaveGateways(namespace, g.Class) && len(all[namespace]) < MaxCertificates && mayUse(v, namespace, name) {
						all[namespace][name] = struct{}{}
					}
				}
			}
		}
		return all
	})
}

// mayUse reports whether Gateways of a namespace may use a Secret.
func mayUse(v *catalog.View, namespace string, secret catalog.Name) bool {
	from := catalog.GrantedReferrer{Group: Group, Kind: "Gateway", Namespace: namespace}
	return secret.Namespace == namespace || v.Grants(from, "", "Secret", secret)
}
