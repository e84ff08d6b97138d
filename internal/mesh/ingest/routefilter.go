package ingest

import (
	"fmt"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// routeFilters reads the filters of a rule.
func routeFilters(namespace string, list []gatewayv1.HTTPRouteFilter) (filters catalog.RouteFilters, unsupported string) {
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
		case f.RequestMirror != nil:
			filters.Mirrors = append(filters.Mirrors, routeMirror(namespace, f.RequestMirror))
		default:
			unsupported = fmt.Sprintf("the mesh does not support the filter %s", f.Type)
		}
	}
	if err := checkFilters(filters); err != nil {
		unsupported = err.Error()
	}
	return filters, unsupported
}

func headerEdits(f *gatewayv1.HTTPHeaderFilter) catalog.HeaderEdits {
	values := func(list []gatewayv1.HTTPHeader) []catalog.HeaderValue {
		return lists.Map(list, func(h gatewayv1.HTTPHeader) catalog.HeaderValue {
			return catalog.HeaderValue{Name: string(h.Name), Value: h.Value}
		})
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

// backendFilters reads the filters of a backendRef; nil for none.
func backendFilters(namespace string, list []gatewayv1.HTTPRouteFilter) (filters *catalog.HeaderFilters, unsupported string) {
	if len(list) == 0 {
		return nil, ""
	}
	all, unsupported := routeFilters(namespace, list)
	if all.Redirect != nil || all.Rewrite != nil || len(all.Mirrors) > 0 {
		unsupported = "the mesh supports only filters of headers in backendRefs: move others to the rule"
	}
	return &all.HeaderFilters, unsupported
}

// routeMirror reads which part of the requests a Service receives copies of; without one, of all.
func routeMirror(namespace string, f *gatewayv1.HTTPRequestMirrorFilter) catalog.RouteMirror {
	mirror := catalog.RouteMirror{Backend: routeBackend(namespace, f.BackendRef), Numerator: 100, Denominator: 100}
	switch {
	case f.Percent != nil:
		mirror.Numerator = uint32(max(*f.Percent, 0))
	case f.Fraction != nil:
		mirror.Numerator, mirror.Denominator = uint32(max(f.Fraction.Numerator, 0)), uint32(max(ptr.Deref(f.Fraction.Denominator, 100), 1))
	}
	mirror.Numerator = min(mirror.Numerator, mirror.Denominator)
	return mirror
}
