package gateway

import (
	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// Group is the API group of Gateways and routes.
const Group = "gateway.networking.k8s.io"

// Result is what the Gateways of a mesh amount to.
type Result struct {
	// Listeners are those that the ingress gateway serves, sorted by port, then by hostname.
	Listeners []Listener
	// Gateways and Routes have the status of all Gateways and HTTPRoutes, the oldest first.
	Gateways []GatewayStatus
	Routes   []RouteStatus
}

// Listener is one listener of a Gateway that is in use.
type Listener struct {
	Gateway catalog.Name
	Name    string
	// Port is that of the Service, and Bind that of the pods.
	Port, Bind uint16
	TLS        bool
	// Hostname restricts the hosts; empty means any. It may start with "*.".
	Hostname string
	// Certificates are usable; there is at least one with TLS.
	Certificates []*catalog.GatewayCertificate
	// Hosts has the routes by host, each host once. Hosts without routes answer 404.
	Hosts []Host
}

// Host is a name that a listener serves, with its rules in order of precedence.
type Host struct {
	// Domain is a host name, a name that starts with "*.", or "*" for all others.
	Domain string
	Rules  []Rule
}

// Rule is one match of a rule.
type Rule struct {
	Match catalog.RouteMatch
	Rule  *catalog.HTTPRouteRule
	// Backends are those of the rule, in their order.
	Backends []Backend
}

// Backend is a backend of a rule. Service is nil if the reference cannot be used.
type Backend struct {
	Service *catalog.Service
	Port    catalog.Port
	Weight  uint32
}

// Resolve resolves all Gateways and HTTPRoutes. The view records its dependencies.
func Resolve(v *catalog.View) Result {
	r := resolver{view: v, ports: v.IngressGatewayPorts()}
	for _, g := range v.Gateways() {
		r.addGateway(g)
	}
	for _, route := range v.HTTPRoutes() {
		r.addRoute(route)
	}
	return r.finish()
}

// resolver collects a Result.
type resolver struct {
	view *catalog.View
	// ports maps ports of the Service of the ingress gateway to those of its pods.
	ports    map[uint16]uint16
	gateways []*gatewayState
	routes   []RouteStatus
}

// gatewayState is a Gateway with its listeners.
type gatewayState struct {
	gateway   *catalog.Gateway
	listeners []*listenerState
}

// listenerState is a listener with the routes that are attached to it.
type listenerState struct {
	spec   catalog.GatewayListener
	status ListenerStatus
	// bind is the port of the pods.
	bind         uint16
	certificates []*catalog.GatewayCertificate
	routes       []attachedRoute
}

// attachedRoute is a route with the hosts that it has in common with the listener.
type attachedRoute struct {
	route     *catalog.HTTPRoute
	hostnames []string
	backends  [][]Backend
}

// finish builds the result from the accepted listeners.
func (r *resolver) finish() Result {
	result := Result{Routes: r.routes}
	byPort := map[uint16][]*listenerState{}
	for _, g := range r.gateways {
		result.Gateways = append(result.Gateways, g.status())
		for _, l := range g.listeners {
			if l.isServed() {
				byPort[l.spec.Port] = append(byPort[l.spec.Port], l)
			}
		}
	}
	for _, g := range r.gateways {
		for _, l := range g.listeners {
			if l.isServed() {
				result.Listeners = append(result.Listeners, l.build(g.gateway.Name, byPort[l.spec.Port]))
			}
		}
	}
	sortListeners(result.Listeners)
	return result
}
