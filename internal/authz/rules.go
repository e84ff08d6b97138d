package authz

import (
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Rules is what one workload identity lets in on one of its ports.
type Rules struct {
	// Permissive lets in every identity of the mesh; Network is then empty and Routes has the one that matches everything.
	Permissive bool
	// Network says who may connect, one rule a TrafficTarget, sorted by policy. Empty and not permissive: nobody.
	Network []NetworkRule
	// Routes says who may send which requests (HTTP ports only), most specific first. A request that matches no route
	// is granted to nobody.
	Routes []Route
}

// NetworkRule lets sources connect because of a policy.
type NetworkRule struct {
	// Policy is "<namespace>/<name>" of the TrafficTarget.
	Policy string
	// Sources are sorted.
	Sources []identity.ServiceAccount
}

// Route lets sources send the requests that match, by the union of the policies that grant the same match.
type Route struct {
	Match catalog.HTTPMatch
	// AnySource is true where the mesh or the namespace is permissive.
	AnySource bool
	// Sources are sorted.
	Sources []identity.ServiceAccount
	// Policies are the TrafficTargets ("<namespace>/<name>", sorted) that grant this match.
	Policies []string
}
