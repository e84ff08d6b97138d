package scope

import (
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// HTTPRoute is one match of a route of the Gateway API, in the ingress gateway or in a sidecar.
type HTTPRoute struct {
	Match catalog.RouteMatch
	// Backends receive the requests by weight. One without a Cluster answers 500.
	Backends []Backend
	Filters  catalog.RouteFilters
	// Unsupported is true if the rule cannot be used: it answers 500.
	Unsupported bool
	// Denied is true if no policy allows the gateway to call any of the backends: it answers 403.
	Denied bool
	// DecodeSlashes is true if a gateway forwards requests with escaped slashes in their paths. Only routes of gateways have it.
	DecodeSlashes bool
	// Timeout bounds a request, and TryTimeout each attempt; 0 means no limit.
	Timeout, TryTimeout time.Duration
	// Repeat says which requests are repeated; nil means the default.
	Repeat *catalog.RouteRetry
	// Session keeps the requests of a session at one endpoint of the only backend; nil means that each is balanced.
	Session *catalog.SessionPersistence
	// Mirrors receive copies of requests.
	Mirrors []Mirror
	// Weight is what a route of a sidecar counts within authz.MaxRoutes.
	Weight int
	// source is the match of the catalog that a route of a sidecar was built from; nil in the ingress gateway.
	source *catalog.RouteMatch
}

// IsSame reports whether two routes of sidecars are equal, without a comparison of what they have from one match of the catalog. If it returns false
// they may be equal too.
func (r *HTTPRoute) IsSame(other *HTTPRoute) bool {
	return r.source != nil && r.source == other.source && r.Denied == other.Denied && r.Weight == other.Weight &&
		slices.Equal(r.Backends, other.Backends) && slices.Equal(r.Mirrors, other.Mirrors)
}

// Mirror is a Cluster that receives copies of Numerator of Denominator requests.
type Mirror struct {
	Cluster                string
	Numerator, Denominator uint32
}
