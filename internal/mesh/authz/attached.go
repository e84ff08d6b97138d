package authz

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
)

// Accepts reports whether a client may connect.
func (r RulesOf[A]) Accepts(source A) bool {
	return r.Permissive || slices.ContainsFunc(r.Network, func(rule NetworkRuleOf[A]) bool { return slices.Contains(rule.Sources, source) })
}

// Granted returns the requests that a client may send; none on ports without HTTP.
func (r RulesOf[A]) Granted(source A) []RouteOf[A] {
	return slices.DeleteFunc(slices.Clone(r.Routes), func(route RouteOf[A]) bool { return !route.AnySource && !slices.Contains(route.Sources, source) })
}

// Granted returns the requests that a client may send to the destination of an answer; none on ports without HTTP.
func (a Answer) Granted(v *catalog.View, source identity.ServiceAccount) []Route {
	if a.Destination == (identity.ServiceAccount{}) {
		return nil
	}
	return InboundRules(v, a.Destination, a.Port, a.Protocol).Granted(source)
}

// Authorizers are the servers that decide about requests that policies allow.
type Authorizers struct {
	// Mesh is that of all requests; nil for none.
	Mesh *catalog.ExternalAuthorization
	// Servers are those of ExternalAuthorizations, sorted by policy.
	Servers []extauthz.Server
}

// AuthorizersOf returns the servers that decide about requests with a protocol to the pods of an identity. Connections have none.
func AuthorizersOf(v *catalog.View, destination identity.ServiceAccount, protocol inventory.Protocol) Authorizers {
	if !protocol.IsHTTP() {
		return Authorizers{}
	}
	return Authorizers{v.Settings().ExternalAuthorization, extauthz.InForce(v, destination)}
}

// Attached is what applies to requests that policies allow.
type Attached struct {
	// Setting has the limits of the Service; nil for none.
	Setting *upstream.Policy
	Authorizers
}

// Attached returns what applies to the requests of an answer, which clients send with a protocol; nothing to those that are denied.
func (a Answer) Attached(v *catalog.View, protocol inventory.Protocol) Attached {
	if a.Outcome != Allowed {
		return Attached{}
	}
	return Attached{UpstreamSetting(v, a.Service), AuthorizersOf(v, a.Destination, protocol)}
}
