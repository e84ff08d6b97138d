package gateway

import (
	"fmt"
	"maps"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Group is the API group of Gateways and routes.
const Group = "gateway.networking.k8s.io"

// Result is what the Gateways of a mesh amount to.
type Result struct {
	// Listeners are those that the ingress gateway serves, sorted by port, then by hostname.
	Listeners []Listener
	// Unread are listeners that lack a certificate or authorities of clients only because a Secret or a ConfigMap of theirs was not read yet. The ingress
	// gateway serves them if it has those of an earlier version of the listener.
	Unread []Listener
	// Gateways and Routes have the status of all Gateways and HTTPRoutes, the oldest first.
	Gateways []GatewayStatus
	Routes   []RouteStatus
	// Services are those that admitted routes refer to and may use, existing or not, sorted.
	Services []entity.Name
}

// Listener is one listener of a Gateway that is in use.
type Listener struct {
	Gateway entity.Name
	Name    string
	// Port is that of the Service, and Bind that of the pods.
	Port, Bind uint16
	// Protocol is HTTP, HTTPS, TLS or TCP. TLS is true if the gateway terminates it.
	Protocol string
	TLS      bool
	// Hostname restricts the hosts; empty means any. It may start with "*.".
	Hostname string
	// Certificates are usable; there is at least one with TLS.
	Certificates []*catalog.GatewayCertificate
	// Clients is the demand for certificates of clients; nil without one.
	Clients *Clients
	// Dedicated is true if the Gateway has pods of its own.
	Dedicated bool
	// Hosts has the routes by host, each host once. Hosts without routes answer 404. With the protocols TLS and TCP they are server names, with one rule
	// or none: then connections are closed.
	Hosts []Host
	// Misdirected are domains of other listeners with TLS, sorted. Requests for them have another server name than their connection, and get status 421. A
	// domain of Hosts that is more specific has precedence.
	Misdirected []string
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
	Route *catalog.HTTPRoute
	Rule  *catalog.HTTPRouteRule
	// Backends are those of the rule, in their order.
	Backends []Backend
}

// DecodesSlashes reports whether the gateway forwards requests with escaped slashes by the rule: all its Services decode them. A regular expression
// could match another path than the one that the Service decodes, and does not apply to them.
func (r Rule) DecodesSlashes(v *catalog.View) bool {
	return len(r.Backends) > 0 && r.Match.PathType != "RegularExpression" &&
		!slices.ContainsFunc(r.Backends, func(b Backend) bool { return b.Service == nil || !v.DecodesSlashes(b.Service.Name) })
}

// Backend is a backend of a rule. Service is nil if the reference cannot be used.
type Backend struct {
	Service *inventory.Service
	Port    inventory.Port
	Weight  uint32
}

// Resolve resolves all Gateways and HTTPRoutes. The view records its dependencies. Gateways that have pods of their own can have the same ports and
// hosts as others.
func Resolve(v *catalog.View) Result {
	var shared []*catalog.Gateway
	var results []Result
	for _, g := range v.Gateways() {
		if v.GatewayClass(g.Class).PerGateway {
			results = append(results, resolveDedicated(v, g))
		} else {
			shared = append(shared, g)
		}
	}
	result := resolveShared(v, shared)
	if len(results) == 0 {
		return result
	}
	return merge(v, append(results, result))
}

// ResolvePods resolves what the pods of a gateway serve: those of the Gateway with this name of names.DedicatedGateway, or those that Gateways share if it is
// empty. It does not depend on the mode of the class, so pods serve on while the mode changes.
func ResolvePods(v *catalog.View, dedicated string) Result {
	if dedicated == "" {
		return resolveShared(v, v.Gateways())
	}
	for _, g := range v.Gateways() {
		if names.DedicatedGateway(g.Name.Namespace, g.Name.Name) == dedicated {
			return resolveDedicated(v, g)
		}
	}
	return Result{}
}

func resolveShared(v *catalog.View, gateways []*catalog.Gateway) Result {
	r := newResolver(v)
	r.ports = v.IngressGatewayPorts()
	return r.resolve(gateways)
}

func newResolver(v *catalog.View) *resolver {
	return &resolver{
		view: v, byName: map[entity.Name]*gatewayState{},
		accepted: map[hostPort]claimant{}, first: map[uint16]claimant{}, narrowed: map[*catalog.HTTPRoute]string{},
		shadowed: map[*catalog.HTTPRoute]string{}, listeners: map[string]int{}, references: map[string]int{}, notAdmitted: map[int]*references{},
		services: map[entity.Name]struct{}{},
	}
}

// resolve resolves Gateways, which are sorted by age and name, and the routes that refer to them.
func (r *resolver) resolve(gateways []*catalog.Gateway) Result {
	for _, g := range gateways {
		r.addGateway(g)
	}
	for _, route := range r.view.GatewayRoutes() {
		r.addRoute(route)
	}
	r.resolveOthers()
	r.acceptListeners()
	return r.finish()
}

// resolver collects a Result.
type resolver struct {
	view *catalog.View
	// ports maps ports of the Service of the gateway to those of its pods. portProblems says why a port of a Gateway with pods of its own is missing.
	ports        map[uint16]uint16
	portProblems map[uint16]string
	// dedicated is true for a Gateway that has pods of its own, and tooMany if there are too many of them.
	dedicated, tooMany bool
	gateways           []*gatewayState
	byName             map[entity.Name]*gatewayState
	// accepted are the accepted listeners, and first is the first one of each port.
	accepted map[hostPort]claimant
	first    map[uint16]claimant
	// listeners counts the accepted listeners by namespace.
	listeners map[string]int
	routes    []RouteStatus
	// notAdmitted has the references of routes that no listener admits, by their position in routes.
	notAdmitted map[int]*references
	// references counts the resolved backendRefs by namespace, and services has the Services that they name.
	references map[string]int
	services   map[entity.Name]struct{}
	// own counts the routes of HTTPRoutes for their own hostnames, and inherited those that their hosts have from less specific hostnames.
	own, inherited authz.RouteLimit
	// narrowed has a message for HTTPRoutes with hosts that have no rules of less specific hostnames, because these are too many.
	narrowed map[*catalog.HTTPRoute]string
	// shadowed has a message for HTTPRoutes with a host that another namespace serves.
	shadowed map[*catalog.HTTPRoute]string
}

// hostPort identifies a listener among the accepted ones: by its port, and by the key of its hostname.
type hostPort struct {
	port uint16
	key  string
}

// gatewayState is a Gateway with its listeners.
type gatewayState struct {
	gateway   *catalog.Gateway
	listeners []*listenerState
	// withoutEffect describes what is set and has no effect; empty if everything has one.
	withoutEffect string
}

// listenerState is a listener with the routes that are attached to it.
type listenerState struct {
	spec   catalog.GatewayListener
	status ListenerStatus
	// bind is the port of the pods.
	bind         uint16
	certificates []*catalog.GatewayCertificate
	// unread is true if a Secret was not read yet.
	unread  bool
	clients clientsState
	routes  []attachedRoute
	// holds is true if the listener has its port and hostname, whether it is served or not.
	holds bool
	// served has the keys of the hosts of the routes, and above those of all hostnames that include one of them. They are nil until they are needed.
	served, above map[string]struct{}
}

// attachedRoute is a route with the hosts that it has in common with the listener.
type attachedRoute struct {
	route     *catalog.HTTPRoute
	hostnames []string
	backends  [][]Backend
	// size is the number of its routes for one hostname.
	size int
}

// finish builds the result from the accepted listeners.
func (r *resolver) finish() Result {
	var result Result
	byPort := map[uint16]*portListeners{}
	for _, g := range r.gateways {
		result.Gateways = append(result.Gateways, g.status())
		for _, l := range g.listeners {
			if byPort[l.spec.Port] == nil {
				byPort[l.spec.Port] = newPortListeners()
			}
			if l.holds {
				byPort[l.spec.Port].add(g.gateway.Name, l)
			}
		}
	}
	for _, g := range r.gateways {
		for _, l := range g.listeners {
			switch {
			case l.isServed():
				result.Listeners = append(result.Listeners, r.build(l, g.gateway.Name, byPort[l.spec.Port]))
			case l.isUnread():
				result.Unread = append(result.Unread, r.build(l, g.gateway.Name, byPort[l.spec.Port]))
			}
		}
	}
	sortListeners(result.Listeners)
	r.reportNotes()
	result.Routes = r.routes
	result.Services = slices.SortedFunc(maps.Keys(r.services), entity.Name.Compare)
	return result
}

// Verdict is the status of a condition, with a reason of the Gateway API.
type Verdict struct {
	OK              bool
	Reason, Message string
}

// GatewayStatus is the status of a Gateway.
type GatewayStatus struct {
	Gateway   *catalog.Gateway
	Accepted  Verdict
	Listeners []ListenerStatus
	// Insecure are the listeners that demand certificates of clients, and admit others too.
	Insecure []string
}

// ListenerStatus is the status of a listener.
type ListenerStatus struct {
	Name                   string
	Accepted, ResolvedRefs Verdict
	// Kinds are those of the routes that may attach.
	Kinds []entity.Kind
	// Claim is what the listener claims from now on; empty if nothing.
	Claim string
	// Served is true if clients can connect.
	Served bool
	// AttachedRoutes is the number of routes.
	AttachedRoutes int32
}

// RouteStatus is the status of an HTTPRoute.
type RouteStatus struct {
	Route *catalog.HTTPRoute
	// Parents has those that are Gateways of this mesh.
	Parents []ParentStatus
}

// ParentStatus is the status of a route for one of its parents.
type ParentStatus struct {
	Parent                 catalog.RouteParent
	Accepted, ResolvedRefs Verdict
}

// status returns the status of a Gateway. It is accepted if at least one listener is.
func (g *gatewayState) status() GatewayStatus {
	status := GatewayStatus{Gateway: g.gateway, Accepted: yes(gatewayv1.GatewayReasonAccepted)}
	invalid := 0
	for _, l := range g.listeners {
		l.status.Served, l.status.AttachedRoutes = l.isServed(), int32(len(l.routes))
		if !l.status.Accepted.OK {
			invalid++
			status.Accepted.Message = fmt.Sprintf("Listener %s: %s", l.spec.Name, l.status.Accepted.Message)
		}
		status.Listeners = append(status.Listeners, l.status)
		if l.spec.Clients != nil && l.spec.Clients.AllowInvalid {
			status.Insecure = append(status.Insecure, l.spec.Name)
		}
	}
	if invalid > 0 {
		status.Accepted.OK, status.Accepted.Reason = invalid < len(g.listeners), string(gatewayv1.GatewayReasonListenersNotValid)
	}
	if status.Accepted.Message == "" {
		status.Accepted.Message = g.withoutEffect
	}
	if g.gateway.Parameters != "" {
		status.Accepted = invalidParameters(g.gateway)
	}
	return status
}
