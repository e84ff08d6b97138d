package authz

import (
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Request is one call of an application, as the application sends it.
type Request struct {
	Source identity.ServiceAccount
	// Service and Port are the called Service, before a TrafficSplit applies.
	Service catalog.Name
	Port    uint16
	// Pod is the address that the client of a headless Service chose; ignored for other Services.
	Pod netip.Addr
	// Method, Path and Headers apply to HTTP ports. Path may have a query and need not be normalized.
	Method, Path string
	// Headers are in order; a name may occur several times. The Host header is ":authority".
	Headers []Header
}

// Header is one header line. Names are case-insensitive.
type Header struct{ Name, Value string }

// Outcome is what the application observes.
type Outcome string

// Outcomes of a request.
const (
	// Allowed: the request reaches an application.
	Allowed Outcome = "allowed"
	// Forbidden: status 403, "RBAC: access denied". The request is granted to other clients only.
	Forbidden Outcome = "forbidden"
	// NotFound: status 404. The request is granted to nobody.
	NotFound Outcome = "not found"
	// BadRequest: status 400. The request is ambiguous, so it is always denied. With several Host values, clients
	// without a grant for one of them may get 403.
	BadRequest Outcome = "bad request"
	// Unavailable: status 503, or on a TCP port a connection closed without an answer. The Service has no endpoints,
	// or the server does not allow the client to connect.
	Unavailable Outcome = "unavailable"
	// Reset: the client's sidecar has other destinations but not this one, and closes the connection.
	Reset Outcome = "reset"
	// Refused: the client's sidecar has no destinations, and the connection is refused.
	Refused Outcome = "refused"
	// PassedThrough: the client's sidecar treats the destination as outside the mesh and passes the connection through
	// unchanged. Sidecars of the mesh close such connections.
	PassedThrough Outcome = "passed through"
)

// Verdict has one answer per possible destination of a request, in no particular order. There is at least one.
type Verdict struct {
	Answers []Answer
	// unreachable is true if the client's sidecar lacks the destination.
	unreachable bool
}

// Answer is the outcome of a request at one destination.
type Answer struct {
	Outcome Outcome
	// Service and Destination are the Service that receives the request (after a TrafficSplit) and the identity of its
	// pods; empty when the request does not get that far.
	Service     catalog.Name
	Destination identity.ServiceAccount
	// Split is the TrafficSplit ("<namespace>/<name>") and Match the HTTPRouteGroup match that selected this
	// destination; empty without one.
	Split, Match string
	// Policies are the TrafficTargets ("<namespace>/<name>", sorted) that grant the request. They are empty when the
	// request is denied, and when Permissive is true: then the mesh, or the destination's namespace, is permissive.
	Policies   []string
	Permissive bool
	// Missing describes what would allow the request; empty when it is allowed.
	Missing string
}

// Connectable reports whether the client's sidecar has the destination. If the sidecar lacks it, an Egress for its address may decide
// about the request.
func (v Verdict) Connectable() bool { return !v.unreachable }

// Always reports whether every answer has the outcome.
func (v Verdict) Always(outcome Outcome) bool {
	return !slices.ContainsFunc(v.Answers, func(a Answer) bool { return a.Outcome != outcome })
}

// May reports whether some answer has the outcome.
func (v Verdict) May(outcome Outcome) bool {
	return slices.ContainsFunc(v.Answers, func(a Answer) bool { return a.Outcome == outcome })
}
