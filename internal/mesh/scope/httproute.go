package scope

import (
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
}

// Mirror is a Cluster that receives copies of Numerator of Denominator requests.
type Mirror struct {
	Cluster                string
	Numerator, Denominator uint32
}
