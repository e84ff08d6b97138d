package authz

import (
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Request is one call of an application, as it leaves it.
type Request struct {
	Source identity.ServiceAccount
	// Service and Port are what the application calls, before a TrafficSplit divides it.
	Service catalog.Name
	Port    uint16
	// Pod is the address that the client of a headless Service has chosen; not read for other Services.
	Pod netip.Addr
	// Method, Path and Headers are read where the port speaks HTTP. Path may have a query and need not be normal.
	Method, Path string
	// Headers are all of them, in order; a name may occur several times. The host is ":authority".
	Headers []Header
}

// Header is one line of a request's head. Upper and lower case in names are the same.
type Header struct{ Name, Value string }

// Outcome is what the application sees.
type Outcome string

// The outcomes of a request.
const (
	// Allowed: the request reaches an application.
	Allowed Outcome = "allowed"
	// Forbidden: status 403, "RBAC: access denied". The request is granted, but to others.
	Forbidden Outcome = "forbidden"
	// NotFound: status 404. The request is granted to nobody.
	NotFound Outcome = "not found"
	// BadRequest: status 400. The request could be read in two ways, so nobody may send it. With several hosts it may be 403 for
	// those who may not send the request with one host either.
	BadRequest Outcome = "bad request"
	// Unavailable: status 503, or on a TCP port a connection that is closed without an answer. Nothing is behind the Service, or
	// what is there does not let the client connect.
	Unavailable Outcome = "unavailable"
	// Reset: the client's sidecar knows no such destination and closes the connection.
	Reset Outcome = "reset"
	// Refused: the client's sidecar knows no destination at all, and the connection is refused.
	Refused Outcome = "refused"
	// Passed: the client's sidecar takes the destination for one outside the mesh, and passes the connection through unchanged.
	// Sidecars of the mesh close such connections.
	Passed Outcome = "passed through"
)

// Verdict is what may come of a request: one answer for each place that it may be sent to, in no order that means anything.
// There is at least one.
type Verdict struct{ Answers []Answer }

// Answer is what comes of a request at one place.
type Answer struct {
	Outcome Outcome
	// Service and Destination are the Service that the request is sent to (the leaf of a TrafficSplit) and the identity of the
	// pods there; empty when the request does not get that far.
	Service     catalog.Name
	Destination identity.ServiceAccount
	// Split is the TrafficSplit ("<namespace>/<name>") that has sent the request there, and Match the match of an HTTPRouteGroup
	// by which it has; empty without one.
	Split, Match string
	// Policies are the TrafficTargets ("<namespace>/<name>", sorted) that grant the request. Empty when it is denied, and when
	// Permissive is true: then it is allowed because the mesh, or the destination's namespace, is permissive.
	Policies   []string
	Permissive bool
	// Missing is a sentence about what would have to be there for the request to be allowed; empty when it is.
	Missing string
}

// Connectable says whether the client's sidecar knows the destination: what becomes of the request is then decided beyond it.
func (v Verdict) Connectable() bool {
	return !slices.ContainsFunc(v.Answers, func(a Answer) bool {
		return a.Outcome == Reset || a.Outcome == Refused || a.Outcome == Passed
	})
}

// Always says whether every answer has the outcome.
func (v Verdict) Always(outcome Outcome) bool {
	return !slices.ContainsFunc(v.Answers, func(a Answer) bool { return a.Outcome != outcome })
}

// May says whether some answer has the outcome.
func (v Verdict) May(outcome Outcome) bool {
	return slices.ContainsFunc(v.Answers, func(a Answer) bool { return a.Outcome == outcome })
}
