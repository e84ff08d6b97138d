package ingest

import (
	"regexp"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// GRPCRoute reads a GRPCRoute. A method of gRPC is the path "/<service>/<method>" of an HTTP request, so it becomes a route of paths. There is no entry if
// none of its parents is a Gateway or a Service.
func GRPCRoute(u *unstructured.Unstructured) (*catalog.HTTPRoute, []Problem) {
	object, found := convert[gatewayv1.GRPCRoute](u)
	if found != nil {
		return nil, found
	}
	spec := gatewayv1.HTTPRouteSpec{CommonRouteSpec: object.Spec.CommonRouteSpec, Hostnames: object.Spec.Hostnames}
	for i := range object.Spec.Rules {
		spec.Rules = append(spec.Rules, grpcRule(&object.Spec.Rules[i]))
	}
	return readRequestRoute(u, entity.KindGRPCRoute, &spec)
}

func grpcRule(r *gatewayv1.GRPCRouteRule) gatewayv1.HTTPRouteRule {
	rule := gatewayv1.HTTPRouteRule{Filters: grpcFilters(r.Filters)}
	for _, m := range r.Matches {
		match := gatewayv1.HTTPRouteMatch{Path: grpcPath(m.Method)}
		for _, h := range m.Headers {
			match.Headers = append(match.Headers, gatewayv1.HTTPHeaderMatch{
				Type: ptr.To(gatewayv1.HeaderMatchType(ptr.Deref(h.Type, gatewayv1.GRPCHeaderMatchExact))),
				Name: gatewayv1.HTTPHeaderName(h.Name), Value: h.Value,
			})
		}
		rule.Matches = append(rule.Matches, match)
	}
	for _, ref := range r.BackendRefs {
		rule.BackendRefs = append(rule.BackendRefs, gatewayv1.HTTPBackendRef{BackendRef: ref.BackendRef, Filters: grpcFilters(ref.Filters)})
	}
	return rule
}

// anyPart is one part of the path of a method.
const anyPart = "[^/]+"

// grpcPath returns the path of a method; nil for all.
func grpcPath(m *gatewayv1.GRPCMethodMatch) *gatewayv1.HTTPPathMatch {
	if m == nil || ptr.Deref(m.Service, "") == "" && ptr.Deref(m.Method, "") == "" {
		return nil
	}
	service, method := ptr.Deref(m.Service, ""), ptr.Deref(m.Method, "")
	isRegex := ptr.Deref(m.Type, gatewayv1.GRPCMethodMatchExact) == gatewayv1.GRPCMethodMatchRegularExpression
	path := func(kind gatewayv1.PathMatchType, value string) *gatewayv1.HTTPPathMatch {
		return &gatewayv1.HTTPPathMatch{Type: &kind, Value: &value}
	}
	switch {
	case isRegex:
		return path(gatewayv1.PathMatchRegularExpression, "/"+group(service)+"/"+group(method))
	case service == "":
		return path(gatewayv1.PathMatchRegularExpression, "/"+anyPart+"/"+regexp.QuoteMeta(method))
	case method == "":
		return path(gatewayv1.PathMatchPathPrefix, "/"+service)
	}
	return path(gatewayv1.PathMatchExact, "/"+service+"/"+method)
}

// group returns an expression as one part of a path; any part if it is empty.
func group(expression string) string {
	if expression == "" {
		return anyPart
	}
	return "(?:" + expression + ")"
}

// grpcFilters returns filters in the form of an HTTPRoute. The types have equal names.
func grpcFilters(list []gatewayv1.GRPCRouteFilter) []gatewayv1.HTTPRouteFilter {
	var filters []gatewayv1.HTTPRouteFilter
	for _, f := range list {
		filters = append(filters, gatewayv1.HTTPRouteFilter{
			Type: gatewayv1.HTTPRouteFilterType(f.Type), RequestHeaderModifier: f.RequestHeaderModifier, ResponseHeaderModifier: f.ResponseHeaderModifier,
			RequestMirror: f.RequestMirror, ExtensionRef: f.ExtensionRef,
		})
	}
	return filters
}
