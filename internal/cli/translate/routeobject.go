package translate

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// Limits of an HTTPRoute in its schema.
const (
	maxRules         = 16
	maxMatchesOfRule = 64
	maxBackends      = 16
	maxWeight        = 1_000_000
)

// object returns the HTTPRoute or TCPRoute.
func (r *route) object() *unstructured.Unstructured {
	if r.Kind == entity.KindGatewayTCPRoute {
		return r.tcpObject()
	}
	object := gatewayv1.HTTPRoute{}
	object.APIVersion, object.Kind = gatewayv1.GroupVersion.String(), string(entity.KindHTTPRoute)
	object.Namespace, object.Name = r.Name.Namespace, r.Name.Name
	object.Spec.ParentRefs = r.parents()
	for _, rule := range r.rules {
		object.Spec.Rules = append(object.Spec.Rules, r.ruleObject(rule))
	}
	return asObject(&object)
}

// tcpObject returns the TCPRoute, which has one rule.
func (r *route) tcpObject() *unstructured.Unstructured {
	object := gatewayv1.TCPRoute{}
	object.APIVersion, object.Kind = gatewayv1.GroupVersion.String(), r.Kind.APIName()
	object.Namespace, object.Name = r.Name.Namespace, r.Name.Name
	object.Spec.ParentRefs = r.parents()
	object.Spec.Rules = []gatewayv1.TCPRouteRule{{BackendRefs: r.backendRefs(r.rules[0])}}
	return asObject(&object)
}

// parents refers to the port of the Service.
func (r *route) parents() []gatewayv1.ParentReference {
	return []gatewayv1.ParentReference{{
		Group: ptr.To(gatewayv1.Group("")), Kind: ptr.To(gatewayv1.Kind("Service")), Name: gatewayv1.ObjectName(r.to.service.Name),
		Port: ptr.To(gatewayv1.PortNumber(r.to.port)), Namespace: r.namespaceOf(r.to.service),
	}}
}

// namespaceOf returns the namespace of a Service for a reference; nil for that of the route.
func (r *route) namespaceOf(service entity.Name) *gatewayv1.Namespace {
	if service.Namespace == r.Name.Namespace {
		return nil
	}
	return ptr.To(gatewayv1.Namespace(service.Namespace))
}

func (r *route) ruleObject(rule routeRule) gatewayv1.HTTPRouteRule {
	var object gatewayv1.HTTPRouteRule
	for _, match := range rule.matches {
		if m := matchObject(match); len(rule.matches) > 1 || m.Path != nil || m.Method != nil || m.Headers != nil {
			object.Matches = append(object.Matches, m)
		}
	}
	for _, ref := range r.backendRefs(rule) {
		object.BackendRefs = append(object.BackendRefs, gatewayv1.HTTPBackendRef{BackendRef: ref})
	}
	object.Retry, object.Timeouts = retryObject(r.retry)
	return object
}

func (r *route) backendRefs(rule routeRule) []gatewayv1.BackendRef {
	var refs []gatewayv1.BackendRef
	for _, backend := range rule.backends {
		ref := gatewayv1.BackendRef{}
		ref.Name, ref.Namespace, ref.Port = gatewayv1.ObjectName(backend.Service.Name), r.namespaceOf(backend.Service),
			ptr.To(gatewayv1.PortNumber(backend.Port))
		if len(rule.backends) > 1 || backend.Weight != 1 {
			ref.Weight = ptr.To(int32(backend.Weight)) //nolint:gosec // at most maxWeight
		}
		refs = append(refs, ref)
	}
	return refs
}

// matchObject returns a match; an empty one matches everything.
func matchObject(m catalog.RouteMatch) gatewayv1.HTTPRouteMatch {
	var object gatewayv1.HTTPRouteMatch
	if m.PathType != catalog.PathPrefix || m.Path != anyPath {
		object.Path = &gatewayv1.HTTPPathMatch{Type: ptr.To(gatewayv1.PathMatchType(m.PathType)), Value: &m.Path}
	}
	if m.Method != "" {
		object.Method = ptr.To(gatewayv1.HTTPMethod(m.Method))
	}
	for _, h := range m.Headers {
		header := gatewayv1.HTTPHeaderMatch{Name: gatewayv1.HTTPHeaderName(h.Name), Value: h.Value}
		if h.Regex {
			header.Type = ptr.To(gatewayv1.HeaderMatchRegularExpression)
		}
		object.Headers = append(object.Headers, header)
	}
	return object
}

// asObject returns an object without fields that only the cluster sets.
func asObject(object any) *unstructured.Unstructured {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		panic(err) // not reached: the objects are of this package
	}
	delete(content, "status")
	if metadata, ok := content["metadata"].(map[string]any); ok {
		delete(metadata, "creationTimestamp")
	}
	return &unstructured.Unstructured{Object: content}
}
