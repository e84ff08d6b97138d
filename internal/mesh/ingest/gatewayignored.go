package ingest

import (
	"maps"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// setFields returns the paths that are true, sorted.
func setFields(fields map[string]bool) []string {
	maps.DeleteFunc(fields, func(_ string, set bool) bool { return !set })
	return slices.Sorted(maps.Keys(fields))
}

// ignoredByGateway returns the fields of a Gateway that are set and have no effect.
func ignoredByGateway(spec *gatewayv1.GatewaySpec) []string {
	return setFields(map[string]bool{
		"spec.addresses":        len(spec.Addresses) > 0,
		"spec.infrastructure":   spec.Infrastructure != nil,
		"spec.allowedListeners": spec.AllowedListeners != nil,
		"spec.defaultScope":     spec.DefaultScope != "",
		"spec.tls.backend":      spec.TLS != nil && spec.TLS.Backend != nil,
		"spec.listeners.tls.options": slices.ContainsFunc(spec.Listeners, func(l gatewayv1.Listener) bool {
			return l.TLS != nil && len(l.TLS.Options) > 0
		}),
	})
}

// ignoredByRoute returns the fields of an HTTPRoute that are set and have no effect.
func ignoredByRoute(spec *gatewayv1.HTTPRouteSpec) []string {
	hasRule := func(matches func(*gatewayv1.HTTPRouteRule) bool) bool {
		for i := range spec.Rules {
			if matches(&spec.Rules[i]) {
				return true
			}
		}
		return false
	}
	return setFields(map[string]bool{
		"spec.useDefaultGateways":            spec.UseDefaultGateways != "",
		"spec.rules.timeouts.backendRequest": hasRule(func(r *gatewayv1.HTTPRouteRule) bool { return r.Timeouts != nil && r.Timeouts.BackendRequest != nil }),
		"spec.rules.retry":                   hasRule(func(r *gatewayv1.HTTPRouteRule) bool { return r.Retry != nil }),
		"spec.rules.sessionPersistence":      hasRule(func(r *gatewayv1.HTTPRouteRule) bool { return r.SessionPersistence != nil }),
	})
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
