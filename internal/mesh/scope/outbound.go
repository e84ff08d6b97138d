package scope

import (
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// outboundBuilder collects the destinations of a client identity.
type outboundBuilder struct {
	view     *catalog.View
	client   identity.ServiceAccount
	clusters map[string]Cluster
	// limit counts the routes of TrafficSplits with matches. Requests of routes beyond it have the destination of all others.
	limit *authz.RouteLimit
	// leaveOut receives each TrafficSplit beyond the limit with the port; nil for none.
	leaveOut func(Outbound, *catalog.TrafficSplit)
}

// of returns one element per port of the Service on which the client may reach any identity.
func (o outboundBuilder) of(service *catalog.Service) []Outbound {
	var list []Outbound
	for _, port := range service.Ports {
		out := Outbound{Service: service.Name, Port: port.Number, Protocol: port.Protocol, Addresses: service.ClusterIPs}
		if service.Headless() {
			out.PodPort, out.Addresses = o.view.TargetPort(service, port), o.podAddresses(service, port)
		}
		if o.addRules(&out, authz.RouteRules(o.view, service, port)) {
			out.Upstream = o.upstream(service.Name)
			list = append(list, out)
		}
	}
	return list
}

// addRules adds the backends of an outbound port and reports whether the client may reach any. A backend that the
// client may not call keeps its weight: the server denies its share, which reveals the missing policy.
func (o outboundBuilder) addRules(out *Outbound, rules []authz.RouteRule) (reachable bool) {
	if len(rules) > 1 && !slices.ContainsFunc(rules, o.mayCall) {
		return false // its routes do not count
	}
	var clusters []Cluster
	for _, rule := range rules {
		if len(rule.Matches) > 0 && !o.limit.AdmitPolicy(rule.Split.Ref(), sizeOfSplit(rule)) {
			if o.leaveOut != nil {
				o.leaveOut(*out, rule.Split)
			}
			continue
		}
		var backends []Backend
		for _, backend := range rule.Backends {
			cluster, allowed := o.cluster(backend)
			reachable = reachable || allowed
			clusters = append(clusters, cluster)
			backends = append(backends, Backend{Cluster: cluster.Name(), Weight: backend.Weight})
		}
		if len(rule.Matches) == 0 {
			out.Backends = backends
			continue
		}
		out.Routes = append(out.Routes, OutboundRoutes{Matches: o.matches(rule), Backends: backends})
	}
	if !reachable {
		return false
	}
	for _, cluster := range clusters {
		o.clusters[cluster.Name()] = cluster
	}
	return true
}

// mayCall reports whether the client may reach any identity behind the backends of a rule.
func (o outboundBuilder) mayCall(rule authz.RouteRule) bool {
	return slices.ContainsFunc(rule.Backends, func(backend authz.WeightedBackend) bool {
		_, allowed := o.cluster(backend)
		return allowed
	})
}

type splitMatchesKey struct{ split catalog.Name }

// matches are those of a rule. All ports of the Service share the list, which nobody may change.
func (o outboundBuilder) matches(rule authz.RouteRule) []catalog.HTTPMatch {
	return o.view.Memo(splitMatchesKey{rule.Split.Name}, func() any {
		var list []catalog.HTTPMatch
		for _, match := range rule.Matches {
			list = append(list, match.HTTPMatch)
		}
		return list
	}).([]catalog.HTTPMatch)
}

// cluster returns a port of a Service with the identities that the client may call, or with all identities if it may
// call none.
func (o outboundBuilder) cluster(backend authz.WeightedBackend) (Cluster, bool) {
	name := backend.Service.Name
	all := o.view.ServiceIdentities(name)
	// All ports with one target port share the cluster, so its identities must not depend on the port.
	protocol := authz.EffectiveProtocol(o.view, backend.Service, backend.Port)
	allowed := slices.DeleteFunc(slices.Clone(all), func(sa identity.ServiceAccount) bool {
		return !authz.MayConnect(o.view, o.client, sa, backend.TargetPort, protocol)
	})
	c := Cluster{Service: name, TargetPort: backend.TargetPort, Protocol: protocol, Identities: all}
	c.Endpoints = EndpointsKey{Service: name, TargetPort: backend.TargetPort}
	c.Upstream = o.upstream(name)
	if len(allowed) > 0 && len(allowed) < len(all) {
		c.Identities = allowed
		c.Endpoints.Identities = joinNames(allowed)
	}
	return c, len(allowed) > 0
}

// podAddresses are the addresses of the pods of a headless Service.
func (o outboundBuilder) podAddresses(service *catalog.Service, port catalog.Port) []netip.Addr {
	var addresses []netip.Addr
	for _, backend := range o.view.Backends(service, port) {
		addresses = append(addresses, backend.Address.Addr())
	}
	return addresses
}

// withoutDuplicates removes ports without an address, and keeps an address and port for the first Service by name: Envoy
// would reject the whole configuration if two listeners had one address. An address stays while one of its ports is free, because two ports
// of a headless Service may share a target port.
func withoutDuplicates(list []Outbound) []Outbound {
	seen := map[netip.AddrPort]bool{}
	var result []Outbound
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
