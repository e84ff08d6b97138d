package scope

import (
	"math"
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// IngressGateway is the configuration of the ingress gateway.
type IngressGateway struct {
	// Listeners are sorted by port, then by hostname. Those of one port have one protocol and different hostnames.
	Listeners []GatewayListener
	// Certificates are those that listeners name, each once.
	Certificates []GatewayCertificate
	// Authorities are those that listeners name, each once.
	Authorities []GatewayAuthorities
	// unread are listeners whose certificates or authorities were not read yet. CarryCertificates needs them.
	unread []unreadListener
}

// GatewayListener accepts requests of clients outside the mesh.
type GatewayListener struct {
	// Name is "<namespace>/<name of the Gateway>/<name of the listener>".
	Name string
	// Port is that of the Service, and Bind that of the pod.
	Port, Bind uint16
	// Hostname is the name that TLS clients request; empty for any.
	Hostname string
	// Certificates are the names of certificates for TLS; none without TLS.
	Certificates []string
	// Clients is the demand for certificates of clients; nil without one.
	Clients *GatewayClients
	Hosts   []GatewayHost
	// Misdirected are domains of other listeners, whose requests get status 421.
	Misdirected []string
	// Protocol is TLS or TCP if the listener has Connections instead of Hosts. Those that none of them selects are closed.
	Protocol    string
	Connections []ConnectionRoute
}

// GatewayClients is the demand for certificates of clients. Authorities is the name of those that issue them.
type GatewayClients struct {
	Authorities string
	// AllowInvalid admits clients without a certificate, or with that of another authority.
	AllowInvalid bool
}

// GatewayHost is a host with its routes. The first route that matches a request applies; without one the answer is 404.
type GatewayHost struct {
	Domain string
	Routes []HTTPRoute
}

// GatewayCertificate is a certificate with its key, both PEM. The name is "<namespace>/<name>" of its Secret.
type GatewayCertificate struct {
	Name             string
	ChainPEM, KeyPEM []byte
}

// GatewayAuthorities are authorities of clients, in PEM. The listeners of a Gateway with the same port have the same ones. The name is
// "<namespace>/<name of the Gateway>|<port>".
type GatewayAuthorities struct {
	Name string
	PEM  []byte
}

// addIngressGateway adds the listeners of the Gateways that the pods serve, and the destinations of their routes. The ingress gateway is a client of
// the mesh: it connects with its own identity, and servers apply their policies to it.
func (s *Scope) addIngressGateway(v *catalog.View) {
	o := gatewayBuilder{outboundBuilder{view: v, client: s.Key.Identity, clusters: map[string]Cluster{}}, map[gatewayPort]gatewayShares{}}
	s.IngressGateway = &IngressGateway{}
	contents := newGatewayContents(s.IngressGateway)
	resolved := gateway.ResolvePods(v, s.Key.Gateway)
	for i := range resolved.Listeners {
		s.IngressGateway.Listeners = append(s.IngressGateway.Listeners, o.gatewayListener(&resolved.Listeners[i]))
		contents.add(&resolved.Listeners[i])
	}
	for i := range resolved.Unread {
		s.IngressGateway.unread = append(s.IngressGateway.unread, unreadListener{o.gatewayListener(&resolved.Unread[i]), &resolved.Unread[i]})
	}
	s.Clusters = sortedClusters(o.clusters)
	o.spreadChecks(s.Clusters)
}

// gatewayListener returns a listener with its routes.
func (o gatewayBuilder) gatewayListener(l *gateway.Listener) GatewayListener {
	listener := GatewayListener{Name: l.Gateway.String() + "/" + l.Name, Port: l.Port, Bind: l.Bind, Hostname: l.Hostname, Misdirected: l.Misdirected}
	for _, c := range l.Certificates {
		listener.Certificates = append(listener.Certificates, c.Name.String())
	}
	if l.Clients != nil {
		listener.Clients = &GatewayClients{gatewayAuthoritiesName(l), l.Clients.AllowInvalid}
	}
	if l.RoutesConnections() {
		listener.Protocol, listener.Connections = l.Protocol, o.gatewayConnections(l)
		return listener
	}
	for _, host := range l.Hosts {
		listener.Hosts = append(listener.Hosts, GatewayHost{host.Domain, lists.Map(host.Rules, o.gatewayRoute)})
	}
	return listener
}

// gatewayBuilder collects the destinations of the ingress gateway. Many matches have the same backends, so what a port of a Service leads to is
// computed once.
type gatewayBuilder struct {
	outboundBuilder
	shares map[gatewayPort]gatewayShares
}

// gatewayPort is a port of a Service as a backend of routes of a kind.
type gatewayPort struct {
	service entity.Name
	port    uint16
	// kind is that of the route, which decides about the version of HTTP.
	kind entity.Kind
}

// gatewayShares are the destinations of the requests to a port of a Service.
type gatewayShares struct {
	// backends have the weights of the TrafficSplit for all requests, and total is their sum.
	backends []Backend
	total    uint64
	// callable is true if the gateway may call any of them.
	callable bool
}

func (o gatewayBuilder) gatewayRoute(rule gateway.Rule) HTTPRoute {
	kind := rule.Route.Kind
	route := o.newRoute(rule.Route, rule.Rule, rule.Match, authz.ResolveGranted, func(b authz.WeightedBackend) string { return o.addVersioned(b, kind) })
	exists, allowed := false, false
	for i, backend := range rule.Backends {
		exists = exists || backend.Service != nil
		backends, callable := o.gatewayBackends(backend, kind)
		for k := range backends {
			backends[k].Filters = rule.Rule.Backends[i].Filters
		}
		allowed = allowed || callable
		route.Backends = append(route.Backends, backends...)
	}
	route.Denied = exists && !allowed
	route.DecodeSlashes = rule.DecodesSlashes(o.view)
	return route
}

// gatewayBackends divides the weight of a backend among those of the TrafficSplit for all requests to it, if there is one. It also reports
// whether the gateway may call any of them. Of several, one that it may not call keeps its weight: its server rejects the connections.
func (o gatewayBuilder) gatewayBackends(b gateway.Backend, kind entity.Kind) (backends []Backend, callable bool) {
	unusable := []Backend{{Weight: scaled(b.Weight, 1, 1)}}
	if b.Service == nil {
		return unusable, false
	}
	shares := o.sharesOf(b, kind)
	if shares.total == 0 {
		return unusable, true
	}
	for _, share := range shares.backends {
		backends = append(backends, Backend{Cluster: share.Cluster, Weight: scaled(b.Weight, uint64(share.Weight), shares.total)})
	}
	return backends, shares.callable
}

// addVersioned adds the cluster of a backend of routes of a kind.
func (o gatewayBuilder) addVersioned(b authz.WeightedBackend, kind entity.Kind) string {
	return o.addClusterFor(b, versionFor(b, kind))
}

// versionFor returns the version of HTTP for a backend of routes of a kind; empty without HTTP. It does not follow that of the client: browsers use HTTP/2, and
// many servers have HTTP/1.1 alone. The Service decides, and requests of gRPC need HTTP/2.
func versionFor(b authz.WeightedBackend, kind entity.Kind) HTTPVersion {
	switch {
	case !b.Protocol.IsHTTP():
		return ""
	case kind == entity.KindGRPCRoute || b.Port.HTTP2:
		return HTTP2
	}
	return HTTP1
}

// sharesOf returns the destinations of a backend of routes of a kind, and adds their clusters.
func (o gatewayBuilder) sharesOf(b gateway.Backend, kind entity.Kind) gatewayShares {
	key := gatewayPort{b.Service.Name, b.Port.Number, kind}
	if known, ok := o.shares[key]; ok {
		return known
	}
	rules := authz.SplitRulesFor(o.view, o.client, b.Service, b.Port)
	last := rules[len(rules)-1]
	shares := gatewayShares{callable: last.IsCallable()}
	parts := peerSharesOf(last.Backends)
	for _, target := range last.Backends {
		shares.total += uint64(parts.part(target.Weight, catalog.WholeShare))
	}
	if shares.total > 0 {
		for _, target := range last.Backends {
			shares.backends = append(shares.backends, o.dividedBackend(target, o.addVersioned(target, kind), versionFor(target, kind), parts)...)
		}
	}
	o.shares[key] = shares
	return shares
}

// weightPrecision multiplies weights, so that a TrafficSplit can divide a weight of 1. The largest weight of a route is a million.
const weightPrecision = 1000

// scaled returns the part of a weight for one backend of a TrafficSplit. A part that is not zero is at least 1.
func scaled(weight uint32, part, total uint64) uint32 {
	if weight == 0 || part == 0 {
		return 0
	}
	return uint32(min(max(uint64(weight)*weightPrecision*part/total, 1), math.MaxUint32))
}

// egress returns the destinations outside the mesh that a client may call, and their settings. The limit records policies that are not complete.
func egress(v *catalog.View, client identity.ServiceAccount, limit *authz.RouteLimit) ([]authz.EgressPort, map[string]*Upstream) {
	ports := authz.EgressPortsWithin(v, client, limit)
	upstreams := map[string]*Upstream{}
	add := func(name string) {
		if upstream := egressUpstream(v, client.Namespace, name); upstream != nil {
			upstreams[name] = upstream
		}
	}
	for _, port := range ports {
		add(port.Setting)
		for _, host := range port.Hosts {
			add(host.Setting)
		}
	}
	if len(upstreams) == 0 {
		return ports, nil
	}
	return ports, upstreams
}

// egressUpstream returns the settings of an UpstreamTrafficSetting for hosts outside the mesh; nil without one.
func egressUpstream(v *catalog.View, namespace, name string) *Upstream {
	setting := upstream.Named(v, entity.Name{Namespace: namespace, Name: name})
	if setting == nil {
		return nil
	}
	return &Upstream{Connections: setting.Connections, OutlierDetection: setting.OutlierDetection}
}

// EgressGateway is the configuration of the egress gateway.
type EgressGateway struct {
	// Destinations are sorted by policy, port and host.
	Destinations []EgressDestination
	// Credentials are those that destinations name, each once.
	Credentials []EgressCredential
}

// EgressDestination is a destination with its settings.
type EgressDestination struct {
	authz.GatewayDestination
	// Upstream has the settings for connections to the host; nil means defaults.
	Upstream *Upstream
	// Credential is the name of the credential with which the gateway encrypts requests. If it is empty and TLS is set, the Secret cannot be
	// used, and the destination answers 503.
	Credential string
	// HasClientCertificate is true if the credential has a client certificate.
	HasClientCertificate bool
}

// EgressCredential has the authorities of servers, and the client certificate of the gateway with its key, all PEM. The certificate may be
// empty. The name is "<namespace>/<name>" of the Secret.
type EgressCredential struct {
	Name                             string
	AuthoritiesPEM, ChainPEM, KeyPEM []byte
}

// GatewayDestinations are the destinations of the egress gateway; none in other proxies.
func (s *Scope) GatewayDestinations() []EgressDestination {
	if s.EgressGateway == nil {
		return nil
	}
	return s.EgressGateway.Destinations
}

// addEgressGateway adds the destinations of all Egresses with the gateway.
func (s *Scope) addEgressGateway(v *catalog.View) {
	s.EgressGateway = &EgressGateway{}
	var limit authz.RouteLimit
	for _, d := range authz.GatewayDestinations(v, &limit) {
		out := EgressDestination{GatewayDestination: d, Upstream: egressUpstream(v, d.Policy.Namespace, d.Setting)}
		if d.TLS != nil {
			s.EgressGateway.addCredential(v, &out)
		}
		s.EgressGateway.Destinations = append(s.EgressGateway.Destinations, out)
	}
	s.addLimited(limit.Limited())
}

// addCredential adds the credential of a destination, if it can be used.
func (g *EgressGateway) addCredential(v *catalog.View, d *EgressDestination) {
	c := v.EgressCredential(entity.Name{Namespace: d.Policy.Namespace, Name: d.TLS.Secret})
	if c == nil || c.Problem != "" {
		return
	}
	d.Credential, d.HasClientCertificate = c.Name.String(), len(c.ChainPEM) > 0
	if !slices.ContainsFunc(g.Credentials, func(known EgressCredential) bool { return known.Name == d.Credential }) {
		g.Credentials = append(g.Credentials, EgressCredential{d.Credential, c.AuthoritiesPEM, c.ChainPEM, c.KeyPEM})
	}
}

// egressGatewayOf returns what a sidecar needs for the egress gateway; nil if none of its destinations uses it.
func egressGatewayOf(v *catalog.View, ports []authz.EgressPort) *EgressGatewayService {
	for _, port := range ports {
		for _, host := range port.Hosts {
			if host.HTTPGateway != (entity.Name{}) || host.TLSGateway != (entity.Name{}) {
				return &EgressGatewayService{Namespace: v.Settings().Namespace, Addresses: v.EgressGatewayAddresses()}
			}
		}
	}
	return nil
}

// EgressGatewayService is the Service of the egress gateway.
type EgressGatewayService struct {
	// Namespace is that of the mesh.
	Namespace string
	// Addresses are none without the Service.
	Addresses []netip.Addr
}
