package scope

import (
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// outbounds collects what a client identity may call.
type outbounds struct {
	view     *catalog.View
	client   identity.ServiceAccount
	clusters map[string]Cluster
}

// of makes one element for each port of the Service on which the client may reach anything at all.
func (o outbounds) of(service *catalog.Service) []Outbound {
	var list []Outbound
	for _, port := range service.Ports {
		out := Outbound{Service: service.Name, Port: port.Number, Protocol: port.Protocol, Addresses: service.ClusterIPs}
		if service.Headless() {
			out.PodPort, out.Addresses = o.view.TargetPort(service, port), o.podAddresses(service, port)
		}
		if o.divide(&out, authz.Divisions(o.view, service, port)) && len(out.Addresses) > 0 {
			out.Upstream = o.upstream(service.Name)
			list = append(list, out)
		}
	}
	return list
}

// divide leads an outbound port to its backends, and says whether the client may reach any. A backend that the client may not
// call keeps its share: the server refuses it, which shows the missing policy instead of hiding it.
func (o outbounds) divide(out *Outbound, divisions []authz.Division) (reachable bool) {
	var clusters []Cluster
	for _, division := range divisions {
		var backends []Backend
		for _, leaf := range division.Leaves {
			cluster, allowed := o.cluster(leaf)
			reachable = reachable || allowed
			clusters = append(clusters, cluster)
			backends = append(backends, Backend{Cluster: cluster.Name(), Weight: leaf.Weight})
		}
		if len(division.Matches) == 0 {
			out.Backends = backends
			continue
		}
		routes := OutboundRoutes{Backends: backends}
		for _, match := range division.Matches {
			routes.Matches = append(routes.Matches, match.HTTPMatch)
		}
		out.Routes = append(out.Routes, routes)
	}
	if !reachable {
		return false
	}
	for _, cluster := range clusters {
		o.clusters[cluster.Name()] = cluster
	}
	return true
}

// cluster is a port of a Service as the client may use it: with the identities it may call when there are any, with all of
// them otherwise.
func (o outbounds) cluster(leaf authz.Leaf) (Cluster, bool) {
	name := leaf.Service.Name
	all := o.view.Backers(name)
	// All ports that lead to one container port share the cluster, so they must agree on who is behind it.
	protocol := authz.Door(o.view, leaf.Service, leaf.Port)
	allowed := slices.DeleteFunc(slices.Clone(all), func(sa identity.ServiceAccount) bool {
		return !authz.Connects(o.view, o.client, sa, leaf.Target, protocol)
	})
	c := Cluster{Service: name, TargetPort: leaf.Target, Protocol: protocol, Identities: all}
	c.Endpoints = EndpointsKey{Service: name, TargetPort: leaf.Target}
	c.Upstream = o.upstream(name)
	if len(allowed) > 0 && len(allowed) < len(all) {
		c.Identities = allowed
		c.Endpoints.Identities = joined(allowed)
	}
	return c, len(allowed) > 0
}

// podAddresses are the addresses on which clients reach the pods of a headless Service.
func (o outbounds) podAddresses(service *catalog.Service, port catalog.Port) []netip.Addr {
	var addresses []netip.Addr
	for _, backend := range o.view.Backends(service, port) {
		addresses = append(addresses, backend.Address.Addr())
	}
	return addresses
}

// withoutDuplicates keeps, for each address and port, only the first Service in order of names: two Services that claim the
// same address would make Envoy refuse the whole configuration. An address stays as long as one of its ports is free: two
// ports of a headless Service may lead to one port of its pods, and each is asked for by its own number.
func withoutDuplicates(list []Outbound) []Outbound {
	seen := map[netip.AddrPort]bool{}
	var result []Outbound
	for _, out := range list {
		out.Addresses = slices.DeleteFunc(slices.Clone(out.Addresses), func(a netip.Addr) bool {
			free := false
			for _, claimed := range out.claims(a) {
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

// claims are the destinations by which clients reach an address.
func (o Outbound) claims(a netip.Addr) []netip.AddrPort {
	claimed := []netip.AddrPort{netip.AddrPortFrom(a, o.Port)}
	if o.Headless() {
		claimed = append(claimed, netip.AddrPortFrom(a, o.PodPort))
	}
	return claimed
}
