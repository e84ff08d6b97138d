package takeover

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// Scope returns the scope of a sidecar of Open Service Mesh without what it cannot do.
func Scope(s *scope.Scope) *scope.Scope {
	reduced := *s
	reduced.Key.Class.OnDemand, reduced.Key.Class.IPv6, reduced.ServiceRanges = false, false, nil
	reduced.AccessLog = nil
	reduced.Peers = nil // without them, ports and destinations have no peers either
	if s.Tracing != nil && s.Tracing.OTLP {
		reduced.Tracing = nil
	}
	reduced.Authorizations = nil
	for _, a := range s.Authorizations {
		reduced.Authorizations = append(reduced.Authorizations, authorization(a))
	}
	reduced.Inbound, reduced.Ingress = slices.Clone(s.Inbound), slices.Clone(s.Ingress)
	for i := range reduced.Inbound {
		reduced.Inbound[i].DecodeSlashes = false
	}
	for i := range reduced.Ingress {
		reduced.Ingress[i].DecodeSlashes = false
	}
	reduced.Outbound = make([]scope.Outbound, 0, len(s.Outbound))
	for i := range s.Outbound {
		reduced.Outbound = append(reduced.Outbound, outbound(s.Outbound[i])...)
	}
	return &reduced
}

// authorization omits the server of a policy that lists headers: that Envoy would send all of them. Without a server no request is allowed.
func authorization(a extauthz.Server) extauthz.Server {
	if len(a.Policy.RequestHeaders) == 0 {
		return a
	}
	policy := *a.Policy
	policy.RequestHeaders, policy.FailureModeAllow = nil, false
	a.Policy, a.Service = &policy, nil
	return a
}

// outbound is a destination without the name of the client, without a stand-in of a peer and without sessions: routes with sessions answer 500. A client
// of a headless Service whose port differs from that of its pods is balanced over them, as in Open Service Mesh: that Envoy cannot change the port of
// the address that the client chose. At the port of the pods it reaches the one that it chose.
func outbound(o scope.Outbound) []scope.Outbound {
	o.NamesClient, o.StandIn = false, false
	routes := make([]scope.HTTPRoute, len(o.HTTPRoutes))
	for i := range o.HTTPRoutes {
		routes[i] = o.HTTPRoutes[i]
		routes[i].Unsupported = routes[i].Unsupported || routes[i].Session != nil
		routes[i].Session = nil
	}
	o.HTTPRoutes = routes
	if !o.Headless() || o.PodPort == o.Port {
		return []scope.Outbound{o}
	}
	balanced, chosen := o, o
	balanced.PodPort, chosen.Port = 0, o.PodPort
	return []scope.Outbound{balanced, chosen}
}
