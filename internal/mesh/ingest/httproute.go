package ingest

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// HTTPRoute reads an HTTPRoute. There is no entry if none of its parents is a Gateway or a Service.
func HTTPRoute(u *unstructured.Unstructured) (*catalog.HTTPRoute, []Problem) {
	object, found := convert[gatewayv1.HTTPRoute](u)
	if found != nil {
		return nil, found
	}
	return readRequestRoute(u, entity.KindHTTPRoute, &object.Spec)
}

// readRequestRoute reads a route of requests, which can have sessions.
func readRequestRoute(u *unstructured.Unstructured, kind entity.Kind, spec *gatewayv1.HTTPRouteSpec) (*catalog.HTTPRoute, []Problem) {
	route, problems := readRoute(u, kind, spec)
	if route != nil {
		sessionPersistence(u, route)
	}
	return route, problems
}

// readRoute reads a route of a kind in the form of an HTTPRoute.
func readRoute(u *unstructured.Unstructured, kind entity.Kind, spec *gatewayv1.HTTPRouteSpec) (*catalog.HTTPRoute, []Problem) {
	route := &catalog.HTTPRoute{Kind: kind, Name: NameOf(u), Created: u.GetCreationTimestamp().UTC(), Ignored: setFields(u, ignoredByRoutes())}
	for _, ref := range spec.ParentRefs {
		if parent, ok := RouteParent(u.GetNamespace(), ref); ok {
			route.Parents = append(route.Parents, parent)
		}
	}
	if len(route.Parents) == 0 {
		return nil, nil
	}
	if found := checkHostnames(kind.APIName(), spec.Hostnames); found != nil {
		return nil, found
	}
	route.Hostnames = lists.Map(spec.Hostnames, func(host gatewayv1.Hostname) string { return string(host) })
	for i := range spec.Rules {
		route.Rules = append(route.Rules, routeRule(u.GetNamespace(), &spec.Rules[i]))
	}
	return route, nil
}

// RouteParent reads a parent of a route. It returns false unless the parent is a Gateway or a Service.
func RouteParent(namespace string, ref gatewayv1.ParentReference) (catalog.RouteParent, bool) {
	parent := catalog.RouteParent{Section: string(ptr.Deref(ref.SectionName, "")), Port: uint16(ptr.Deref(ref.Port, 0))} //nolint:gosec // the schema limits it
	name := entity.Name{Namespace: string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(namespace))), Name: string(ref.Name)}
	switch [2]string{string(ptr.Deref(ref.Group, gatewayv1.GroupName)), string(ptr.Deref(ref.Kind, "Gateway"))} {
	case [2]string{gatewayv1.GroupName, "Gateway"}:
		parent.Gateway = name
	case [2]string{"", "Service"}:
		parent.Service = name
	default:
		return catalog.RouteParent{}, false
	}
	return parent, true
}
