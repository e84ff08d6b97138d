package scope

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// outboundBuilder collects the destinations of a client identity.
type outboundBuilder struct {
	view     *catalog.View
	client   identity.ServiceAccount
	clusters map[string]Cluster
	// onDemand is true if sidecars load destinations on demand. Divided then has the clusters of Services whose requests policies divide or route.
	onDemand bool
	divided  map[ServicePort]Cluster
	// parts are those of an earlier build that have not changed; nil if they are not kept.
	parts map[entity.Name]*Part
	// keeps reports whether the part of a Service is kept, and records the dependencies of the answer in the view. Nil keeps all parts.
	keeps func(*catalog.View, entity.Name) bool
	// limit counts the routes of TrafficSplits with matches. Requests of routes beyond it have the destination of all others.
	limit *authz.RouteLimit
	// leaveOut receives each TrafficSplit beyond the limit with the port; nil for none.
	leaveOut func(Outbound, *catalog.TrafficSplit)
}

// of returns one element per port of the Service on which the client may reach any identity.
func (o outboundBuilder) of(service *inventory.Service) []Outbound {
	var list []Outbound
	for _, port := range service.Ports {
		route := authz.ResolveRoute(o.view, o.client, service, port)
		if !route.IsCallable() {
			continue // its routes do not count
		}
		out := Outbound{Service: service.Name, Port: port.Number, Protocol: port.Protocol, Addresses: route.Addresses}
		out.NamesClient = !port.Protocol.IsHTTP() && (!o.view.Permissive(service.Name.Namespace) || route.IsImported())
		if service.Headless() {
			out.PodPort = o.view.TargetPort(service, port)
		}
		rules := slices.DeleteFunc(route.Rules, func(rule authz.RouteRule) bool { return !o.admit(out, rule) })
		if route.Answers || slices.ContainsFunc(rules, authz.RouteRule.IsCallable) {
			o.addRules(&out, rules)
			out.StandIn, out.LookedUp = slices.ContainsFunc(rules, authz.RouteRule.HasStandIn), slices.ContainsFunc(rules, o.looksUp)
			out.Upstream, out.Imported = o.upstream(service.Name), authz.IsImportedService(o.view, service)
			if o.onDemand && out.isDivided() {
				o.addDivided(authz.ResolvedBackend{Service: service, Port: port})
			}
			list = append(list, out)
		}
	}
	return list
}

// admit reports whether the routes of a rule are within the limit.
func (o outboundBuilder) admit(out Outbound, rule authz.RouteRule) bool {
	if rule.Routed != nil {
		return o.admitRouted(rule)
	}
	admitted := len(rule.Matches) == 0 || o.limit.AdmitPolicyFor(o.client.Namespace, rule.Split.Ref(), o.weightOfSplit(rule))
	if !admitted && o.leaveOut != nil {
		o.leaveOut(out, rule.Split)
	}
	return admitted
}

// addRules adds the backends of an outbound port. A backend that the client may not call keeps its weight: the server
// denies its share, which reveals the missing policy.
func (o outboundBuilder) addRules(out *Outbound, rules []authz.RouteRule) {
	var clusters clusterNames
	if len(rules) > 0 && rules[0].Routed != nil {
		clusters = clusterNames{}
		if !rules[0].Routed.Route.Kind.RoutesConnections() {
			out.HTTPRoutes = make([]HTTPRoute, 0, len(rules)-1) // the last rule adds none
		}
	}
	for _, rule := range rules {
		if rule.Routed != nil {
			o.addRouted(out, rule, clusters)
			continue
		}
		var backends []Backend
		shares := peerSharesOf(rule.Backends)
		for _, backend := range rule.Backends {
			backends = append(backends, o.dividedBackend(backend, o.addCluster(backend), "", shares)...)
		}
		if len(rule.Matches) == 0 {
			out.Backends = backends
			continue
		}
		out.Routes = append(out.Routes, OutboundRoutes{Matches: o.matches(rule), Backends: backends})
	}
}

type splitMatchesKey struct{ split entity.Name }

// matches are those of a rule. All ports of the Service share the list, which nobody may change.
func (o outboundBuilder) matches(rule authz.RouteRule) []catalog.HTTPMatch {
	return catalog.Memo(o.view, splitMatchesKey{rule.Split.Name}, func() []catalog.HTTPMatch {
		return lists.Map(rule.Matches, func(match authz.SplitMatch) catalog.HTTPMatch { return match.HTTPMatch })
	})
}

// addCluster adds a port of a Service with the identities that the client may call, or with all identities if it may
// call none. It returns the name of the cluster.
func (o outboundBuilder) addCluster(backend authz.WeightedBackend) string {
	return o.addClusterFor(backend, "")
}

// addClusterFor is addCluster for requests that are forwarded in a version of HTTP.
func (o outboundBuilder) addClusterFor(backend authz.WeightedBackend, version HTTPVersion) string {
	c := o.clusterFor(backend, version)
	name := c.Name()
	o.clusters[name] = c
	return name
}

func (o outboundBuilder) clusterFor(backend authz.WeightedBackend, version HTTPVersion) Cluster {
	service := backend.Service.Name
	if backend.Imported != nil {
		return o.importedCluster(backend, version)
	}
	// All ports with one target port share the cluster, so its identities must not depend on the port.
	c := Cluster{Service: service, TargetPort: backend.TargetPort, Protocol: backend.Protocol, Identities: backend.Identities, HTTP: version}
	c.Endpoints = EndpointsKey{Service: service, TargetPort: backend.TargetPort, HTTP2: version == HTTP2}
	c.Upstream = o.upstream(service)
	if len(backend.Allowed) > 0 && len(backend.Allowed) < len(backend.Identities) {
		c.Identities = backend.Allowed
		c.Endpoints.Identities = joinNames(backend.Allowed)
	}
	if backend.StandIn != nil {
		c.addStandIn(backend.StandIn)
	}
	return c
}

// withoutDuplicates removes ports without an address, and keeps an address and port for the first Service by name: Envoy
// would reject the whole configuration if two listeners had one address. An address stays while one of its ports is free, because two ports
// of a headless Service may share a target port.
func withoutDuplicates(list []Outbound) []Outbound {
	seen := make(map[netip.AddrPort]bool, len(list))
	result := make([]Outbound, 0, len(list))
	for _, out := range list {
		out.Addresses = slices.DeleteFunc(slices.Clone(out.Addresses), func(a netip.Addr) bool {
			free := false
			for _, claimed := range out.listenAddresses(a) {
				free = free || !seen[claimed]
				seen[claimed] = true
			}
			return !free
		})
		if len(out.Addresses) > 0 {
			result = append(result, out)
		}
	}
	return result
}

// listenAddresses are the destinations of connections to an address.
func (o Outbound) listenAddresses(a netip.Addr) []netip.AddrPort {
	claimed := []netip.AddrPort{netip.AddrPortFrom(a, o.Port)}
	if o.Headless() {
		claimed = append(claimed, netip.AddrPortFrom(a, o.PodPort))
	}
	return claimed
}

// BuildEndpoints returns the endpoints of a key: the ready ones, or, when none is ready, the terminating ones that
// still serve and those whose node does not report.
func BuildEndpoints(v *catalog.View, key EndpointsKey) Endpoints {
	result := Endpoints{Key: key}
	service := v.Service(key.Service)
	if service == nil {
		return result
	}
	leaving := leavingAddresses(v, service, key)
	switch {
	case key.StandIn:
		result.StandIns = leaving
	case key.Peer != "":
		result.Addresses = leaving
		return result
	}
	allowed := parseAccounts(key.Identities)
	var ready, serving []inventory.Backend
	for _, port := range service.Ports {
		if v.TargetPort(service, port) != key.TargetPort {
			continue
		}
		for _, backend := range v.Backends(service, port) {
			if len(allowed) > 0 && !slices.Contains(allowed, backend.Identity) {
				continue
			}
			switch {
			case backend.Ready:
				ready = append(ready, backend)
			case backend.Serving:
				serving = append(serving, backend)
			}
		}
	}
	usable := ready
	if len(ready) == 0 {
		usable = serving
	}
	slices.SortFunc(usable, func(a, b inventory.Backend) int { return a.Address.Compare(b.Address) })
	usable = slices.CompactFunc(usable, func(a, b inventory.Backend) bool { return a.Address == b.Address })
	for _, backend := range usable {
		result.Addresses = append(result.Addresses, backend.Address)
		result.Workloads = append(result.Workloads, backend.Workload)
	}
	return result
}

// ClusterName is OSM's name of an upstream cluster, "<namespace>/<service>|<target port>".
func ClusterName(service entity.Name, targetPort uint16) string {
	return service.Namespace + "/" + service.Name + "|" + strconv.Itoa(int(targetPort))
}

func clusterName(service entity.Name, targetPort uint16, http2, peerFirst bool) string {
	name := ClusterName(service, targetPort)
	if http2 {
		name += "|h2"
	}
	if peerFirst {
		name += "|peer"
	}
	return name
}

// Upstream is the part of an UpstreamTrafficSetting that applies in clients' sidecars.
type Upstream struct {
	Connections      upstream.ConnectionSettings
	OutlierDetection *upstream.OutlierDetection
	HealthCheck      *upstream.HealthCheck
}

// Limits is the part of an UpstreamTrafficSetting that applies in servers' sidecars, to each pod separately.
type Limits struct {
	// Policy is the setting that has the limits.
	Policy entity.Ref
	// Connections bounds new connections to the port, for every protocol.
	Connections *upstream.RateLimit
	// Requests bounds requests to an HTTP port. Routes bound the requests of single routes instead.
	Requests *upstream.RequestRateLimit
	Routes   []upstream.RouteRateLimit
	// GlobalConnections and GlobalRequests bound the rates of all pods together.
	GlobalConnections *upstream.GlobalConnectionLimit
	GlobalRequests    *upstream.GlobalRequestLimit
}

// upstream has the client-side settings for a Service; nil means defaults.
func (o outboundBuilder) upstream(service entity.Name) *Upstream {
	setting := authz.UpstreamSetting(o.view, service)
	healthChecked := o.view.Settings().ActiveHealthChecks
	if setting == nil && !healthChecked {
		return nil
	}
	up := &Upstream{}
	if setting != nil {
		up.Connections, up.OutlierDetection, up.HealthCheck = setting.Connections, setting.OutlierDetection, setting.HealthCheck
	}
	if up.HealthCheck == nil && healthChecked {
		up.HealthCheck = &upstream.HealthCheck{}
	}
	return up
}

// defaultIdleTimeout is after what time without data Envoy closes a TCP connection by default.
const defaultIdleTimeout = time.Hour

// longIdleTimeout returns the idle timeout of connections to a TCP port if it exceeds the default; 0 otherwise, because the
// sidecar of the client closes them earlier.
func longIdleTimeout(setting *upstream.Policy, protocol inventory.Protocol) time.Duration {
	if setting == nil || protocol.IsHTTP() || setting.Connections.TCPIdleTimeout <= defaultIdleTimeout {
		return 0
	}
	return setting.Connections.TCPIdleTimeout
}

// limitsOf returns the limits of a setting, or nil if it has none.
func limitsOf(setting *upstream.Policy) *Limits {
	if setting == nil || setting.ConnectionRate == nil && setting.RequestRate == nil && len(setting.Routes) == 0 &&
		setting.GlobalConnections == nil && setting.GlobalRequests == nil {
		return nil
	}
	return &Limits{
		Policy: setting.Ref(), Connections: setting.ConnectionRate, Requests: setting.RequestRate, Routes: setting.Routes,
		GlobalConnections: setting.GlobalConnections, GlobalRequests: setting.GlobalRequests,
	}
}
