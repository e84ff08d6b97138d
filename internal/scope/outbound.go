package scope

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// defaultWeight is what OSM gives a Service that is not split. Only ratios count.
const defaultWeight = 100

// outbounds collects what a client identity may call.
type outbounds struct {
	view     *catalog.View
	client   identity.ServiceAccount
	clusters map[string]Cluster
}

// reachable are the Services that the client may have a reason to call, sorted: all in permissive mode, otherwise those of
// the identities that some TrafficTarget lets it call, and the roots of splits that lead to them.
func (o outbounds) reachable(permissive bool) []catalog.Name {
	if permissive {
		return o.view.Services()
	}
	found := map[catalog.Name]struct{}{}
	for _, target := range o.view.TargetsFrom(o.client) {
		for _, service := range o.view.ServicesOf(target.Destination) {
			found[service] = struct{}{}
			for _, root := range o.view.RootsOf(service) {
				found[root] = struct{}{}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), catalog.Name.Compare)
}

// of makes one element for each port of the Service on which the client may reach anything at all.
func (o outbounds) of(service *catalog.Service) []Outbound {
	var list []Outbound
	split := o.view.Split(service.Name)
	for _, port := range service.Ports {
		target := o.view.TargetPort(service, port)
		out := Outbound{Service: service.Name, Port: port.Number, Protocol: port.Protocol, Addresses: service.ClusterIPs}
		if service.Headless() {
			out.PodPort, out.Addresses = target, o.podAddresses(service, port)
		}
		var reachable bool
		if split != nil {
			out.Backends, reachable = o.splitBackends(split, port)
		} else {
			out.Backends, reachable = o.ownBackend(service, port, target)
		}
		if reachable && len(out.Addresses) > 0 {
			list = append(list, out)
		}
	}
	return list
}

func (o outbounds) ownBackend(service *catalog.Service, port catalog.Port, target uint16) ([]Backend, bool) {
	cluster, allowed := o.cluster(service, port, target)
	if !allowed {
		return nil, false
	}
	o.clusters[cluster.Name()] = cluster
	return []Backend{{Cluster: cluster.Name(), Weight: defaultWeight}}, true
}

// splitBackends are the leaves of a split that have the root's port; others are left out (SMI). A leaf that the client may
// not call keeps its share: the server refuses it, which shows the missing policy instead of hiding it.
func (o outbounds) splitBackends(split *catalog.TrafficSplit, port catalog.Port) ([]Backend, bool) {
	var backends []Backend
	reachable := false
	for _, leaf := range split.Backends {
		service := o.view.Service(leaf.Service)
		if service == nil {
			continue
		}
		i := slices.IndexFunc(service.Ports, func(p catalog.Port) bool { return p.Number == port.Number })
		if i < 0 {
			continue
		}
		target := o.view.TargetPort(service, service.Ports[i])
		if target == 0 {
			continue
		}
		cluster, allowed := o.cluster(service, service.Ports[i], target)
		reachable = reachable || allowed
		o.clusters[cluster.Name()] = cluster
		backends = append(backends, Backend{Cluster: cluster.Name(), Weight: leaf.Weight})
	}
	return backends, reachable
}

// cluster is a port of a Service as the client may use it: with the identities it may call when there are any, with all of
// them otherwise.
func (o outbounds) cluster(service *catalog.Service, port catalog.Port, target uint16) (Cluster, bool) {
	all := o.view.Backers(service.Name)
	// All ports that lead to one container port share the cluster, so they must agree on who is behind it.
	protocol := authz.Door(o.view, service, port)
	allowed := slices.DeleteFunc(slices.Clone(all), func(sa identity.ServiceAccount) bool {
		return target == 0 || !authz.Connects(o.view, o.client, sa, target, protocol)
	})
	c := Cluster{Service: service.Name, TargetPort: target, Protocol: protocol, Identities: all}
	c.Endpoints = EndpointsKey{Service: service.Name, TargetPort: target}
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
