package ingest

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// HTTPRoute reads an HTTPRoute. There is no entry if none of its parents is a Gateway.
func HTTPRoute(u *unstructured.Unstructured) (*catalog.HTTPRoute, []Problem) {
	object, found := convert[gatewayv1.HTTPRoute](u)
	if found != nil {
		return nil, found
	}
	route := &catalog.HTTPRoute{Name: nameOf(u), Created: u.GetCreationTimestamp().UTC()}
	for _, ref := range object.Spec.ParentRefs {
		if parent, ok := RouteParent(u.GetNamespace(), ref); ok {
			route.Parents = append(route.Parents, parent)
		}
	}
	if len(route.Parents) == 0 {
		return nil, nil
	}
	for _, host := range object.Spec.Hostnames {
		route.Hostnames = append(route.Hostnames, string(host))
	}
	for i := range object.Spec.Rules {
		route.Rules = append(route.Rules, routeRule(u.GetNamespace(), &object.Spec.Rules[i]))
	}
	return route, nil
}

// RouteParent reads a parent of a route. It returns false unless the parent is a Gateway.
func RouteParent(namespace string, ref gatewayv1.ParentReference) (catalog.RouteParent, bool) {
	if ptr.Deref(ref.Group, gatewayv1.GroupName) != gatewayv1.GroupName || ptr.Deref(ref.Kind, "Gateway") != "Gateway" {
		return catalog.RouteParent{}, false
	}
	return catalog.RouteParent{
		Gateway: catalog.Name{Namespace: string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(namespace))), Name: string(ref.Name)},
		Section: string(ptr.Deref(ref.SectionName, "")), Port: uint16(ptr.Deref(ref.Port, 0)), //nolint:gosec // the schema limits it
	}, true
}

func routeRule(namespace string, r *gatewayv1.HTTPRouteRule) catalog.HTTPRouteRule {
	rule := catalog.HTTPRouteRule{}
	rule.Filters, rule.Unsupported = routeFilters(r.Filters)
	for _, m := range r.Matches {
		match := routeMatch(m)
		if err := checkRouteMatch(match); err != nil {
			rule.Unsupported = err.Error()
		}
		rule.Matches = append(rule.Matches, match)
	}
	if len(rule.Matches) == 0 {
		rule.Matches = []catalog.RouteMatch{{PathType: "PathPrefix", Path: "/"}}
	}
	for _, ref := range r.BackendRefs {
		rule.Backends = append(rule.Backends, routeBackend(namespace, ref))
		if len(ref.Filters) > 0 {
			rule.Unsupported = "a backendRef has filters, which the gateway does not support: move them to the rule"
		}
	}
	if r.Timeouts != nil && r.Timeouts.Request != nil {
		// The schema admits only durations.
		rule.Timeout, _ = time.ParseDuration(string(*r.Timeouts.Request))
	}
	return rule
}

func routeBackend(namespace string, ref gatewayv1.HTTPBackendRef) catalog.RouteBackend {
	backend := catalog.RouteBackend{
		Service: catalog.Name{Namespace: string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(namespace))), Name: string(ref.Name)},
		Port:    uint16(ptr.Deref(ref.Port, 0)), Weight: uint32(max(ptr.Deref(ref.Weight, 1), 0)), //nolint:gosec // the schema limits them
	}
	if group, kind := ptr.Deref(ref.Group, ""), ptr.Deref(ref.Kind, "Service"); group != "" || kind != "Service" {
		backend.Unsupported = fmt.Sprintf("%s %s", kind, ref.Name)
	}
	return backend
}

func routeMatch(m gatewayv1.HTTPRouteMatch) catalog.RouteMatch {
	match := catalog.RouteMatch{PathType: "PathPrefix", Path: "/", Method: string(ptr.Deref(m.Method, ""))}
	if m.Path != nil {
		match.PathType = string(ptr.Deref(m.Path.Type, gatewayv1.PathMatchPathPrefix))
		match.Path = ptr.Deref(m.Path.Value, "/")
	}
	for _, h := range m.Headers {
		match.Headers = append(match.Headers, catalog.ValueMatch{Name: string(h.Name), Value: h.Value, Regex: ptr.Deref(h.Type, gatewayv1.HeaderMatchExact) == gatewayv1.HeaderMatchRegularExpression})
	}
	for _, q := range m.QueryParams {
		match.Query = append(match.Query, catalog.ValueMatch{
			Name: string(q.Name), Value: q.Value, Regex: ptr.Deref(q.Type, gatewayv1.QueryParamMatchExact) == gatewayv1.QueryParamMatchRegularExpression,
		})
	}
	return match
}

// checkRouteMatch returns why the gateway cannot use a match.
func checkRouteMatch(m catalog.RouteMatch) error {
	for _, value := range append(slices.Clone(m.Headers), m.Query...) {
		if !value.Regex {
			continue
		}
		if err := checkRegex(value.Value); err != nil {
			return fmt.Errorf("the expression %.60q of %s cannot be used: %w", value.Value, value.Name, err)
		}
	}
	if m.PathType != string(gatewayv1.PathMatchRegularExpression) {
		return nil
	}
	if err := checkRegex(m.Path); err != nil {
		return fmt.Errorf("the path %.60q cannot be used: %w", m.Path, err)
	}
	return nil
}

func routeFilters(list []gatewayv1.HTTPRouteFilter) (filters catalog.RouteFilters, unsupported string) {
	for _, f := range list {
		switch {
		case f.RequestHeaderModifier != nil:
			filters.Request = headerEdits(f.RequestHeaderModifier)
		case f.ResponseHeaderModifier != nil:
			filters.Response = headerEdits(f.ResponseHeaderModifier)
		case f.RequestRedirect != nil:
			r := f.RequestRedirect
			filters.Redirect = &catalog.RouteRedirect{
				Scheme: ptr.Deref(r.Scheme, ""), Hostname: string(ptr.Deref(r.Hostname, "")),
				Port: uint16(ptr.Deref(r.Port, 0)), Status: uint32(ptr.Deref(r.StatusCode, 302)), Path: pathEdit(r.Path), //nolint:gosec // the schema limits them
			}
		case f.URLRewrite != nil:
			filters.Rewrite = &catalog.RouteRewrite{Hostname: string(ptr.Deref(f.URLRewrite.Hostname, "")), Path: pathEdit(f.URLRewrite.Path)}
		default:
			unsupported = fmt.Sprintf("the gateway does not support the filter %s", f.Type)
		}
	}
	for _, edits := range []catalog.HeaderEdits{filters.Request, filters.Response} {
		if name := edits.Protected(); name != "" {
			unsupported = "filters cannot change the header " + name + ": use URLRewrite for the host"
		}
	}
	return filters, unsupported
}

func headerEdits(f *gatewayv1.HTTPHeaderFilter) catalog.HeaderEdits {
	values := func(list []gatewayv1.HTTPHeader) []catalog.HeaderValue {
		var all []catalog.HeaderValue
		for _, h := range list {
			all = append(all, catalog.HeaderValue{Name: string(h.Name), Value: h.Value})
		}
		return all
	}
	return catalog.HeaderEdits{Set: values(f.Set), Add: values(f.Add), Remove: f.Remove}
}

func pathEdit(m *gatewayv1.HTTPPathModifier) *catalog.PathEdit {
	switch {
	case m == nil:
		return nil
	case m.Type == gatewayv1.PrefixMatchHTTPPathModifier:
		return &catalog.PathEdit{Prefix: true, Value: ptr.Deref(m.ReplacePrefixMatch, "/")}
	default:
		return &catalog.PathEdit{Value: ptr.Deref(m.ReplaceFullPath, "/")}
	}
}
