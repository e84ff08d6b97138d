package catalog

import (
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// HTTPRouteRule is one rule of an HTTPRoute.
type HTTPRouteRule struct {
	// Matches select requests, any one is enough. There is at least one, unless sidecars can use none of those of the rule, and the rule matches nothing.
	Matches  []RouteMatch
	Backends []RouteBackend
	// Filters change requests and responses.
	Filters RouteFilters
	// Unsupported is why the rule cannot be used: its requests are answered with 500. It is empty if the rule can be used.
	Unsupported string
	// Timeout bounds a request, and TryTimeout each attempt; 0 means no limit.
	Timeout, TryTimeout time.Duration
	// Repeat says which requests are repeated; nil means the default.
	Repeat *RouteRetry
	// Session keeps the requests of a session at one endpoint; nil means that each is balanced.
	Session *SessionPersistence
}

// SessionPersistence recognizes the requests of a session by a cookie, or by a header that clients repeat.
type SessionPersistence struct {
	Header bool
	// Name is that of the cookie or header.
	Name string
	// Lifetime is how long clients keep the cookie; 0 means until they end.
	Lifetime time.Duration
}

// References returns the backends of the rule, and those of its mirrors.
func (r *HTTPRouteRule) References() []RouteBackend {
	return slices.Concat(r.Backends, lists.Map(r.Filters.Mirrors, func(mirror RouteMirror) RouteBackend { return mirror.Backend }))
}

// RouteRetry repeats requests without an answer, and those with one of the status codes.
type RouteRetry struct {
	Codes []uint32
	// Attempts is the number of repetitions; 0 means the default.
	Attempts uint32
	// Never is true if the route asks for no repetitions. Only requests that no server has begun to process are repeated then.
	Never bool
	// Backoff is the shortest pause before a repetition; 0 means the default.
	Backoff time.Duration
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
	Service entity.Name
	Port    uint16
	Weight  uint32
	// Filters change its requests and responses, after those of the rule; nil means that there are none.
	Filters *HeaderFilters
	// Unsupported describes a reference to something else than a Service; empty for a Service.
	Unsupported string
}

// HeaderFilters change the headers of requests and responses.
type HeaderFilters struct {
	Request, Response HeaderEdits
}

// RouteFilters are the filters of a rule.
type RouteFilters struct {
	HeaderFilters
	Redirect *RouteRedirect
	Rewrite  *RouteRewrite
	// Mirrors receive copies of requests. Their answers are dropped.
	Mirrors []RouteMirror
}

// RouteMirror is a Service that receives copies of Numerator of Denominator requests.
type RouteMirror struct {
	Backend                RouteBackend
	Numerator, Denominator uint32
}

// HeaderEdits change headers.
type HeaderEdits struct {
	Set, Add []HeaderValue
	Remove   []string
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
