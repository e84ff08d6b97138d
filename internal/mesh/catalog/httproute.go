package catalog

import (
	"slices"
	"strings"
	"time"
)

// HTTPRoute is an HTTPRoute or GRPCRoute (gateway.networking.k8s.io). It routes requests that a Gateway receives, or that sidecars send to a Service.
type HTTPRoute struct {
	// Kind is KindHTTPRoute or KindGRPCRoute. The methods of a GRPCRoute are paths.
	Kind    Kind
	Name    Name
	Created time.Time
	// Parents are the Gateways and Services among its parents, in their order.
	Parents []RouteParent
	// Hostnames restrict the hosts of Gateways; empty means those of the listener. They have no effect on requests to Services, whose address decides.
	Hostnames []string
	Rules     []HTTPRouteRule
	// Ignored are the fields that are set and have no effect, sorted.
	Ignored []string
}

// Ref implements Entry.
func (r *HTTPRoute) Ref() Ref { return Ref{r.Kind, r.Name} }

// Deps implements Entry.
func (r *HTTPRoute) Deps(list []Dep) []Dep {
	inMesh := false
	for _, parent := range r.Parents {
		switch {
		case parent.Service == Name{}:
			list = append(list, Dep{Kind: DepGateways})
			continue
		case parent.Service.Namespace != r.Name.Namespace:
			list = append(list, Dep{DepConsumerRoutes, Name{Namespace: r.Name.Namespace}})
		}
		list, inMesh = append(list, Dep{DepSplit, parent.Service}), true
	}
	if !inMesh {
		return list
	}
	for i := range r.Rules {
		for _, backend := range r.Rules[i].Backends {
			list = append(list, Dep{DepSplitsWith, backend.Service})
		}
	}
	return list
}

// Attaches reports whether the route applies to a port of a Service.
func (r *HTTPRoute) Attaches(service Name, port Port) bool {
	return slices.ContainsFunc(r.Parents, func(p RouteParent) bool { return p.Service == service && p.Selects(port) })
}

// RouteParent refers to a Gateway or to some of its listeners, or to a Service or one of its ports.
type RouteParent struct {
	// Gateway is empty for a Service, and Service for a Gateway.
	Gateway, Service Name
	// Section is the name of a listener, or of a port of the Service; empty means any.
	Section string
	// Port is that of listeners or of the Service; 0 means any.
	Port uint16
}

// Selects reports whether a parent that is a Service includes a port of it.
func (p RouteParent) Selects(port Port) bool {
	return (p.Port == 0 || p.Port == port.Number) && (p.Section == "" || p.Section == port.Name)
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
