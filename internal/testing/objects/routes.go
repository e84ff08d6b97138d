package objects

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// HTTPRoute returns an HTTPRoute with Services as parents.
func HTTPRoute(r *catalog.HTTPRoute) gatewayv1.HTTPRoute {
	route := gatewayv1.HTTPRoute{ObjectMeta: Meta(r.Name)}
	route.CreationTimestamp = metav1.NewTime(r.Created)
	route.Spec.ParentRefs = parentObjects(r)
	for i := range r.Rules {
		route.Spec.Rules = append(route.Spec.Rules, ruleObject(&r.Rules[i]))
	}
	return route
}

// TCPRoute returns a TCPRoute of the Gateway API with Services as parents.
func TCPRoute(r *catalog.HTTPRoute) gatewayv1.TCPRoute {
	route := gatewayv1.TCPRoute{ObjectMeta: Meta(r.Name)}
	route.CreationTimestamp = metav1.NewTime(r.Created)
	route.Spec.ParentRefs = parentObjects(r)
	route.Spec.Rules = []gatewayv1.TCPRouteRule{{BackendRefs: backendObjects(r)}}
	return route
}

// TLSRoute returns a TLSRoute with Services as parents.
func TLSRoute(r *catalog.HTTPRoute) gatewayv1.TLSRoute {
	route := gatewayv1.TLSRoute{ObjectMeta: Meta(r.Name)}
	route.CreationTimestamp = metav1.NewTime(r.Created)
	route.Spec.ParentRefs = parentObjects(r)
	for _, hostname := range r.Hostnames {
		route.Spec.Hostnames = append(route.Spec.Hostnames, gatewayv1.Hostname(hostname))
	}
	route.Spec.Rules = []gatewayv1.TLSRouteRule{{BackendRefs: backendObjects(r)}}
	return route
}

// backendObjects returns the backends of the only rule.
func backendObjects(r *catalog.HTTPRoute) []gatewayv1.BackendRef {
	var refs []gatewayv1.BackendRef
	for _, ref := range ruleObject(&r.Rules[0]).BackendRefs {
		refs = append(refs, ref.BackendRef)
	}
	return refs
}

func parentObjects(r *catalog.HTTPRoute) []gatewayv1.ParentReference {
	var refs []gatewayv1.ParentReference
	for _, parent := range r.Parents {
		ref := gatewayv1.ParentReference{
			Group: ptr.To(gatewayv1.Group("")), Kind: ptr.To(gatewayv1.Kind("Service")),
			Namespace: ptr.To(gatewayv1.Namespace(parent.Service.Namespace)), Name: gatewayv1.ObjectName(parent.Service.Name),
		}
		if parent.Port != 0 {
			ref.Port = ptr.To(gatewayv1.PortNumber(parent.Port))
		}
		refs = append(refs, ref)
	}
	return refs
}

func ruleObject(r *catalog.HTTPRouteRule) gatewayv1.HTTPRouteRule {
	rule := gatewayv1.HTTPRouteRule{Filters: filterObjects(r.Filters)}
	for _, match := range r.Matches {
		rule.Matches = append(rule.Matches, matchObject(match))
	}
	for _, backend := range r.Backends {
		var ref gatewayv1.HTTPBackendRef
		ref.Namespace, ref.Name = ptr.To(gatewayv1.Namespace(backend.Service.Namespace)), gatewayv1.ObjectName(backend.Service.Name)
		ref.Port, ref.Weight = ptr.To(gatewayv1.PortNumber(backend.Port)), ptr.To(int32(backend.Weight))
		if backend.Filters != nil {
			ref.Filters = filterObjects(catalog.RouteFilters{HeaderFilters: *backend.Filters})
		}
		rule.BackendRefs = append(rule.BackendRefs, ref)
	}
	rule.Timeouts = timeoutsObject(r)
	if r.Repeat != nil {
		rule.Retry = &gatewayv1.HTTPRouteRetry{Attempts: ptr.To(int(r.Repeat.Attempts)), Backoff: ptr.To(gatewayv1.Duration(r.Repeat.Backoff.String()))}
		for _, code := range r.Repeat.Codes {
			rule.Retry.Codes = append(rule.Retry.Codes, gatewayv1.HTTPRouteRetryStatusCode(code))
		}
	}
	return rule
}

func timeoutsObject(r *catalog.HTTPRouteRule) *gatewayv1.HTTPRouteTimeouts {
	if r.Timeout == 0 && r.TryTimeout == 0 {
		return nil
	}
	return &gatewayv1.HTTPRouteTimeouts{
		Request:        ptr.To(gatewayv1.Duration(r.Timeout.String())),
		BackendRequest: ptr.To(gatewayv1.Duration(r.TryTimeout.String())),
	}
}

func matchObject(m catalog.RouteMatch) gatewayv1.HTTPRouteMatch {
	match := gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Type: ptr.To(gatewayv1.PathMatchType(m.PathType)), Value: &m.Path}}
	if m.Method != "" {
		match.Method = ptr.To(gatewayv1.HTTPMethod(m.Method))
	}
	for _, h := range m.Headers {
		kind := gatewayv1.HeaderMatchExact
		if h.Regex {
			kind = gatewayv1.HeaderMatchRegularExpression
		}
		match.Headers = append(match.Headers, gatewayv1.HTTPHeaderMatch{Type: &kind, Name: gatewayv1.HTTPHeaderName(h.Name), Value: h.Value})
	}
	for _, q := range m.Query {
		match.QueryParams = append(match.QueryParams, gatewayv1.HTTPQueryParamMatch{
			Type: ptr.To(gatewayv1.QueryParamMatchExact), Name: gatewayv1.HTTPHeaderName(q.Name), Value: q.Value,
		})
	}
	return match
}

func filterObjects(f catalog.RouteFilters) []gatewayv1.HTTPRouteFilter {
	var list []gatewayv1.HTTPRouteFilter
	if edits := f.Request; len(edits.Set)+len(edits.Add)+len(edits.Remove) > 0 {
		list = append(list, gatewayv1.HTTPRouteFilter{
			Type:                  gatewayv1.HTTPRouteFilterRequestHeaderModifier,
			RequestHeaderModifier: &gatewayv1.HTTPHeaderFilter{Set: headerObjects(edits.Set), Add: headerObjects(edits.Add), Remove: edits.Remove},
		})
	}
	if f.Redirect != nil {
		list = append(list, gatewayv1.HTTPRouteFilter{
			Type:            gatewayv1.HTTPRouteFilterRequestRedirect,
			RequestRedirect: &gatewayv1.HTTPRequestRedirectFilter{StatusCode: ptr.To(int(f.Redirect.Status))},
		})
	}
	if f.Rewrite != nil {
		list = append(list, gatewayv1.HTTPRouteFilter{
			Type: gatewayv1.HTTPRouteFilterURLRewrite, URLRewrite: &gatewayv1.HTTPURLRewriteFilter{Path: pathObject(*f.Rewrite.Path)},
		})
	}
	for _, mirror := range f.Mirrors {
		list = append(list, gatewayv1.HTTPRouteFilter{Type: gatewayv1.HTTPRouteFilterRequestMirror, RequestMirror: mirrorObject(mirror)})
	}
	return list
}

func mirrorObject(m catalog.RouteMirror) *gatewayv1.HTTPRequestMirrorFilter {
	object := &gatewayv1.HTTPRequestMirrorFilter{Fraction: &gatewayv1.Fraction{Numerator: int32(m.Numerator), Denominator: ptr.To(int32(m.Denominator))}}
	object.BackendRef.Namespace, object.BackendRef.Name = ptr.To(gatewayv1.Namespace(m.Backend.Service.Namespace)), gatewayv1.ObjectName(m.Backend.Service.Name)
	object.BackendRef.Port = ptr.To(gatewayv1.PortNumber(m.Backend.Port))
	return object
}

func pathObject(edit catalog.PathEdit) *gatewayv1.HTTPPathModifier {
	if edit.Prefix {
		return &gatewayv1.HTTPPathModifier{Type: gatewayv1.PrefixMatchHTTPPathModifier, ReplacePrefixMatch: &edit.Value}
	}
	return &gatewayv1.HTTPPathModifier{Type: gatewayv1.FullPathHTTPPathModifier, ReplaceFullPath: &edit.Value}
}

func headerObjects(list []catalog.HeaderValue) []gatewayv1.HTTPHeader {
	var all []gatewayv1.HTTPHeader
	for _, h := range list {
		all = append(all, gatewayv1.HTTPHeader{Name: gatewayv1.HTTPHeaderName(h.Name), Value: h.Value})
	}
	return all
}

// ReferenceGrant returns a ReferenceGrant.
func ReferenceGrant(g *catalog.ReferenceGrant) gatewayv1beta1.ReferenceGrant {
	grant := gatewayv1beta1.ReferenceGrant{ObjectMeta: Meta(g.Name)}
	for _, from := range g.From {
		grant.Spec.From = append(grant.Spec.From, gatewayv1beta1.ReferenceGrantFrom{
			Group: gatewayv1.Group(from.Group), Kind: gatewayv1.Kind(from.Kind), Namespace: gatewayv1.Namespace(from.Namespace),
		})
	}
	for _, to := range g.To {
		object := gatewayv1beta1.ReferenceGrantTo{Kind: gatewayv1.Kind(to.Kind)}
		if to.Name != "" {
			object.Name = ptr.To(gatewayv1.ObjectName(to.Name))
		}
		grant.Spec.To = append(grant.Spec.To, object)
	}
	return grant
}
