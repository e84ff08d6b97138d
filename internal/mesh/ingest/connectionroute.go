package ingest

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// GatewayTCPRoute reads a TCPRoute of the Gateway API. There is no entry if none of its parents is a Gateway or a Service.
func GatewayTCPRoute(u *unstructured.Unstructured) (*catalog.HTTPRoute, []Problem) {
	object, found := convert[gatewayv1.TCPRoute](u)
	if found != nil {
		return nil, found
	}
	spec := gatewayv1.HTTPRouteSpec{CommonRouteSpec: object.Spec.CommonRouteSpec}
	for _, rule := range object.Spec.Rules {
		spec.Rules = append(spec.Rules, connectionRule(rule.BackendRefs))
	}
	return readConnectionRoute(u, entity.KindGatewayTCPRoute, &spec)
}

// TLSRoute reads a TLSRoute. There is no entry if none of its parents is a Gateway or a Service.
func TLSRoute(u *unstructured.Unstructured) (*catalog.HTTPRoute, []Problem) {
	object, found := convert[gatewayv1.TLSRoute](u)
	if found != nil {
		return nil, found
	}
	spec := gatewayv1.HTTPRouteSpec{CommonRouteSpec: object.Spec.CommonRouteSpec, Hostnames: object.Spec.Hostnames}
	for _, rule := range object.Spec.Rules {
		spec.Rules = append(spec.Rules, connectionRule(rule.BackendRefs))
	}
	return readConnectionRoute(u, entity.KindTLSRoute, &spec)
}

// connectionRule returns the rule of a route of connections in the form of an HTTPRoute.
func connectionRule(refs []gatewayv1.BackendRef) gatewayv1.HTTPRouteRule {
	var rule gatewayv1.HTTPRouteRule
	for _, ref := range refs {
		rule.BackendRefs = append(rule.BackendRefs, gatewayv1.HTTPBackendRef{BackendRef: ref})
	}
	return rule
}

// readConnectionRoute reads a route of connections, whose first rule applies: the definitions permit one. Clients send server names in any case, and
// proxies compare them in lower case.
func readConnectionRoute(u *unstructured.Unstructured, kind entity.Kind, spec *gatewayv1.HTTPRouteSpec) (*catalog.HTTPRoute, []Problem) {
	var ignored []string
	switch {
	case len(spec.Rules) == 0:
		spec.Rules = []gatewayv1.HTTPRouteRule{{}}
	case len(spec.Rules) > 1:
		spec.Rules, ignored = spec.Rules[:1], []string{"spec.rules[1]"}
	}
	for i, host := range spec.Hostnames {
		spec.Hostnames[i] = gatewayv1.Hostname(strings.ToLower(string(host)))
	}
	route, problems := readRoute(u, kind, spec)
	if route == nil {
		return nil, problems
	}
	route.Hostnames = lists.Unique(route.Hostnames)
	route.Ignored = append(ignored, route.Ignored...)
	return route, problems
}
