package catalog

import (
	"slices"
	"strings"
	"time"
)

// HTTPRoute routes requests that a Gateway receives (gateway.networking.k8s.io).
type HTTPRoute struct {
	Name    Name
	Created time.Time
	// Parents are the Gateways among its parents, in their order.
	Parents []RouteParent
	// Hostnames restrict the hosts; empty means those of the listener.
	Hostnames []string
	Rules     []HTTPRouteRule
	// Ignored are the fields that are set and have no effect, sorted.
	Ignored []string
}

// Ref implements Entry.
func (r *HTTPRoute) Ref() Ref { return Ref{KindHTTPRoute, r.Name} }

// Deps implements Entry.
func (r *HTTPRoute) Deps(list []Dep) []Dep {
	return append(list, Dep{Kind: DepGateways})
}

// RouteParent refers to a Gateway, or to some of its listeners.
type RouteParent struct {
	Gateway Name
	// Section is the name of a listener; empty means any.
	Section string
	// Port is that of listeners; 0 means any.
	Port uint16
}

// HTTPRouteRule is one rule of an HTTPRoute.
type HTTPRouteRule struct {
	// Matches select requests, any one is enough. There is at least one.
	Matches  []RouteMatch
	Backends []RouteBackend
	// Filters change requests and responses.
	Filters RouteFilters
	// Unsupported is why the rule cannot be used: its requests are answered with 500. It is empty if the rule can be used.
	Unsupported string
	// Timeout bounds a request; 0 means no limit.
	Timeout time.Duration
}

// RouteMatch selects requests. Every part that is set must match.
type RouteMatch struct {
	// PathType is Exact, PathPrefix or RegularExpression.
	PathType, Path string
	Method         string
	Headers, Query []ValueMatch
}

// ValueMatch matches the value of a header or query parameter.
type ValueMatch struct {
	Name, Value string
	// Regex is true if Value is an RE2 expression that must match the whole value.
	Regex bool
}

// RouteBackend is a Service with a share of the requests.
type RouteBackend struct {
	Service Name
	Port    uint16
	Weight  uint32
	// Unsupported describes a reference to something else than a Service; empty for a Service.
	Unsupported string
}

// RouteFilters are the filters of a rule.
type RouteFilters struct {
	Request, Response HeaderEdits
	Redirect          *RouteRedirect
	Rewrite           *RouteRewrite
}

// HeaderEdits change headers.
type HeaderEdits struct {
	Set, Add []HeaderValue
	Remove   []string
}

// Protected returns a header among the edits that filters cannot change; empty if there is none.
func (e HeaderEdits) Protected() string {
	for _, header := range append(slices.Clone(e.Set), e.Add...) {
		if isProtected(header.Name) {
			return header.Name
		}
	}
	if i := slices.IndexFunc(e.Remove, isProtected); i >= 0 {
		return e.Remove[i]
	}
	return ""
}

// isProtected reports whether a header decides how Envoy routes a request, or what others believe about its client. Envoy obeys x-envoy-*, and
// the gateway writes x-forwarded-*.
func isProtected(header string) bool {
	header = strings.ToLower(header)
	return strings.HasPrefix(header, ":") || header == "host" || strings.HasPrefix(header, "x-envoy-") || strings.HasPrefix(header, "x-forwarded-")
}

// HeaderValue is a header with its value.
type HeaderValue struct{ Name, Value string }

// RouteRedirect answers requests with a redirect.
type RouteRedirect struct {
	Scheme, Hostname string
	// Port is 0 for that of the scheme, or the port of the listener.
	Port   uint16
	Status uint32
	Path   *PathEdit
}

// RouteRewrite changes requests before they are forwarded.
type RouteRewrite struct {
	Hostname string
	Path     *PathEdit
}

// PathEdit replaces the whole path, or the prefix that the rule matches.
type PathEdit struct {
	Prefix bool
	Value  string
}
