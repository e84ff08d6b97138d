package authz

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Rules are the clients and requests that one workload identity allows on one of its ports.
type Rules struct {
	// Permissive allows every identity of the mesh. Network is then empty and Routes has one route that matches
	// everything.
	Permissive bool
	// Network lists who may connect, one rule per TrafficTarget, sorted by policy. When it is empty and Permissive is
	// false, nobody may.
	Network []NetworkRule
	// Routes lists who may send which requests (HTTP ports only), most specific first. A request that matches no route
	// is denied.
	Routes []Route
}

// NetworkRule allows sources to connect because of one policy.
type NetworkRule struct {
	// Policy is "<namespace>/<name>" of the TrafficTarget.
	Policy string
	// Sources are sorted.
	Sources []identity.ServiceAccount
}

// Route allows sources to send the requests that match. It is the union of the policies that grant the same match.
type Route struct {
	Match catalog.HTTPMatch
	// AnySource is true where the mesh or the namespace is permissive.
	AnySource bool
	// Sources are sorted.
	Sources []identity.ServiceAccount
	// Policies are the TrafficTargets ("<namespace>/<name>", sorted) that grant this match.
	Policies []string
}
