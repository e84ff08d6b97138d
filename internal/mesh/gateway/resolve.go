package gateway

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
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
	r := resolver{
		view: v, ports: v.IngressGatewayPorts(), byName: map[catalog.Name]*gatewayState{},
		accepted: map[hostPort]acceptedListener{}, first: map[uint16]acceptedListener{}, narrowed: map[*catalog.HTTPRoute]struct{}{},
	}
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
	byName   map[catalog.Name]*gatewayState
	// accepted are the accepted listeners, and first is the first one of each port.
	accepted map[hostPort]acceptedListener
	first    map[uint16]acceptedListener
	routes   []RouteStatus
	// own counts the routes of HTTPRoutes for their own hostnames, and inherited those that their hosts have from less specific hostnames.
	own, inherited authz.RouteLimit
	// narrowed are the HTTPRoutes with hosts that have no rules of less specific hostnames, because these are too many.
	narrowed map[*catalog.HTTPRoute]struct{}
}

// hostPort identifies a listener among the accepted ones: by its port, and by the key of its hostname.
type hostPort struct {
	port uint16
	key  string
}

// acceptedListener is an accepted listener of a Gateway.
type acceptedListener struct {
	listener *listenerState
	gateway  catalog.Name
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
	var result Result
	byPort := map[uint16]map[string]*listenerState{}
	for _, g := range r.gateways {
		result.Gateways = append(result.Gateways, g.status())
		for _, l := range g.listeners {
			if !l.isServed() {
				continue
			}
			if byPort[l.spec.Port] == nil {
				byPort[l.spec.Port] = map[string]*listenerState{}
			}
			byPort[l.spec.Port][keyOf(l.spec.Hostname)] = l
		}
	}
	for _, g := range r.gateways {
		for _, l := range g.listeners {
			if l.isServed() {
				result.Listeners = append(result.Listeners, r.build(l, g.gateway.Name, byPort[l.spec.Port]))
			}
		}
	}
	sortListeners(result.Listeners)
	r.reportNarrowed()
	result.Routes = r.routes
	return result
}
