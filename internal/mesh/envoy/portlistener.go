package envoy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// A sidecar that loads destinations on demand has one listener for each port number, instead of one for each Service. A new Service then needs no
// configuration until it is called. These resources depend on all destinations with the number.

// sharedPort is a port number of destinations that share a listener.
type sharedPort struct {
	number uint16
	// services are the ports of Services with HTTP.
	services []destination
	// egress has the destinations outside the mesh; nil if there are none.
	egress *authz.EgressPort
}

// sharedPorts are the port numbers of a scope that share listeners, sorted.
func sharedPorts(s *translation, reachable []destination) []sharedPort {
	if !s.IsOnDemand() || s.Passthrough {
		return nil
	}
	byNumber := map[uint16]*sharedPort{}
	of := func(number uint16) *sharedPort {
		if byNumber[number] == nil {
			byNumber[number] = &sharedPort{number: number}
		}
		return byNumber[number]
	}
	for i := range reachable {
		if s.SharesListener(&reachable[i].Outbound) {
			port := of(reachable[i].Port)
			port.services = append(port.services, reachable[i])
		}
	}
	for i := range s.EgressPorts {
		of(s.EgressPorts[i].Number).egress = &s.EgressPorts[i]
	}
	ports := make([]sharedPort, 0, len(byNumber))
	for _, p := range byNumber {
		ports = append(ports, *p)
	}
	slices.SortFunc(ports, func(a, b sharedPort) int { return cmp.Compare(a.number, b.number) })
	return ports
}

// sharedPortsOf are the sharedPorts of a scope that have one of the numbers.
func sharedPortsOf(s *translation, numbers map[uint16]bool) []sharedPort {
	return slices.DeleteFunc(sharedPorts(s, destinations(s)), func(p sharedPort) bool { return !numbers[p.number] })
}

// ownListeners are the destinations that do not share a listener.
func ownListeners(s *translation, reachable []destination) []destination {
	if !s.IsOnDemand() {
		return reachable
	}
	var own []destination
	for i := range reachable {
		if !s.SharesListener(&reachable[i].Outbound) {
			own = append(own, reachable[i])
		}
	}
	return own
}

// PortNames are the names of the resources that Services with HTTP on a port number share in a sidecar that loads destinations on demand.
type PortNames struct{ Listener, Chain, Routes string }

// NamesOfPort returns the names for a port number.
func NamesOfPort(port uint16) PortNames {
	return PortNames{portListenerName(port), portChainName(port), portRouteName(port)}
}

func portChainName(port uint16) string { return fmt.Sprintf("outbound_%d_http", port) }

func portListenerName(port uint16) string { return fmt.Sprintf("outbound_%d", port) }

func portRouteName(port uint16) string { return fmt.Sprintf("rds-outbound.%d", port) }

// portListeners are the listeners of port numbers. They bind no port: the outbound listener hands them the connections to every address that has no
// listener of its own.
func portListeners(s *translation, ports []sharedPort) []*listenerv3.Listener {
	return lists.Map(ports, func(p sharedPort) *listenerv3.Listener { return portListener(s, p) })
}

func portListener(s *translation, p sharedPort) *listenerv3.Listener {
	egress := authz.EgressPort{Number: p.number}
	if p.egress != nil {
		egress = *p.egress
	}
	chains := portChains(s, p, egress)
	if p.egress != nil {
		chains = append(chains, egressChains(s, withoutServices(s, p, egress))...)
	}
	return egressListener(s, portListenerName(p.number), egress, chains)
}

// portChains are the chains for the addresses of Services.
func portChains(s *translation, p sharedPort, egress authz.EgressPort) []*listenerv3.FilterChain {
	if len(p.services) == 0 {
		return nil
	}
	match := &listenerv3.FilterChainMatch{PrefixRanges: lists.Map(s.ServiceRanges, cidrRange)}
	chains := []*listenerv3.FilterChain{{
		Name: portChainName(p.number), FilterChainMatch: match, Filters: []*listenerv3.Filter{onDemandHTTP(s, p.number)},
	}}
	return append(chains, outsideChains(s, egress)...)
}

// maxOutsideChains is how many filter chains a port has, at most, for Services that are not in the mesh. Connections to the others on that port are handled
// as HTTP to an unknown destination.
const maxOutsideChains = 512

// outsideChains are the chains for the addresses of Services that are not in the mesh, where connections to them are allowed. The chain of the ranges would
// take them for HTTP.
func outsideChains(s *translation, egress authz.EgressPort) []*listenerv3.FilterChain {
	var out []*listenerv3.FilterChain
	for _, service := range s.ServicesOutside {
		address := service.Addr()
		if service.Port() != egress.Number || address.Is6() && !s.Key.Class.IPv6 {
			continue
		}
		cell := newEgressCell(s, egress)
		cell.prefix = netip.PrefixFrom(address, address.BitLen())
		if !isOfServices(s, cell.prefix) || slices.Contains(s.ServiceRanges, cell.prefix) {
			continue // another chain matches the same addresses, and Envoy would reject both
		}
		cell.ranges = lists.Filter(egress.Ranges, func(r authz.EgressRange) bool { return r.Prefix.Contains(address) })
		chains := cell.chains()
		if len(chains) == 0 && s.Egress {
			chains = []*listenerv3.FilterChain{passthroughWithin(s, cell.prefix)}
		}
		if len(out)+len(chains) > maxOutsideChains {
			break
		}
		out = append(out, chains...)
	}
	return out
}

// passthroughWithin forwards connections to a prefix unchanged.
func passthroughWithin(s *translation, prefix netip.Prefix) *listenerv3.FilterChain {
	chain := passthroughFilterChain(s)
	chain.Name += "|" + prefix.String()
	chain.FilterChainMatch = &listenerv3.FilterChainMatch{PrefixRanges: []*corev3.CidrRange{cidrRange(prefix)}}
	return chain
}

// withoutServices removes the ranges that are parts of those of Services, which have chains of their own.
func withoutServices(s *translation, p sharedPort, egress authz.EgressPort) authz.EgressPort {
	if len(p.services) == 0 {
		return egress
	}
	egress.Ranges = slices.DeleteFunc(slices.Clone(egress.Ranges), func(r authz.EgressRange) bool {
		return isOfServices(s, r.Prefix)
	})
	return egress
}

// isOfServices reports whether a prefix is a range of Services, or a part of one.
func isOfServices(s *translation, prefix netip.Prefix) bool {
	return slices.ContainsFunc(s.ServiceRanges, func(services netip.Prefix) bool {
		return services.Bits() <= prefix.Bits() && services.Contains(prefix.Addr())
	})
}

// portRouteConfigs are the route configurations of port numbers with Services.
func portRouteConfigs(s *translation, ports []sharedPort) []*routev3.RouteConfiguration {
	var out []*routev3.RouteConfiguration
	for _, p := range ports {
		if len(p.services) > 0 {
			out = append(out, portRoutes(s, p))
		}
	}
	return out
}

// clientPortRouteConfigs are those of portRouteConfigs that differ for this client because of its own policies.
func clientPortRouteConfigs(s *translation, ports []sharedPort) []*routev3.RouteConfiguration {
	return portRouteConfigs(s, lists.Filter(ports, func(p sharedPort) bool {
		return s.MarksRequests || slices.ContainsFunc(p.services, func(d destination) bool { return hasClientPolicies(s, d.Service) })
	}))
}

// portRoutes sends the requests to a port number to the cluster of their destination. Only destinations with policies have
// virtual hosts of their own.
func portRoutes(s *translation, p sharedPort) *routev3.RouteConfiguration {
	out := &routev3.RouteConfiguration{
		Name:                   portRouteName(p.number),
		VhostHeader:            destinationHeader,
		RequestHeadersToRemove: []string{destinationHeader},
		ValidateClusters:       wrapperspb.Bool(false),
	}
	for _, d := range p.services {
		if s.LoadsOnDemand(&d.Outbound) && !hasClientPolicies(s, d.Service) && requestTimeout(d.Upstream) == 0 {
			continue
		}
		host := outboundVirtualHost(s, d.Outbound)
		host.Domains = destinationNames(d)
		if !s.LoadsOnDemand(&d.Outbound) {
			host.TypedPerFilterConfig = loadNothing
		}
		out.VirtualHosts = append(out.VirtualHosts, host)
	}
	out.VirtualHosts = append(out.VirtualHosts, &routev3.VirtualHost{
		Name: "outbound_virtual-host|*", Domains: []string{"*"}, RequestBodyBufferLimit: repeatedBody,
		Routes: appendRoute(nil, &routev3.Route{Match: anyRequest(), Action: forwardToDestination(0, retryPolicy(nil))}),
	})
	return out
}

// destinationNames are the values of destinationHeader for a destination.
func destinationNames(d destination) []string {
	return lists.Map(slices.Concat(d.listeners...), scope.OnDemandName)
}
