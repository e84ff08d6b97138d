package envoy

import (
	"fmt"
	"net/netip"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// egressRouteConfigs are the route configurations of the ports outside the mesh with hosts for HTTP. A host leads to its own cluster,
// whatever address the client chose: an application cannot reach another address by naming an allowed host.
func egressRouteConfigs(s *scope.Scope) []*routev3.RouteConfiguration {
	var out []*routev3.RouteConfiguration
	for _, port := range s.EgressPorts {
		if s.Passthrough || !port.HasHTTP() {
			continue
		}
		config := &routev3.RouteConfiguration{Name: egressRouteName(port.Number), ValidateClusters: wrapperspb.Bool(false)}
		for _, host := range port.Hosts {
			if host.HTTP {
				config.VirtualHosts = append(config.VirtualHosts, egressVirtualHost(s, port.Number, host))
			}
		}
		config.VirtualHosts = append(config.VirtualHosts, otherHosts(s, port.Number))
		out = append(out, config)
	}
	return out
}

func egressVirtualHost(s *scope.Scope, port uint16, h authz.EgressHost) *routev3.VirtualHost {
	cluster := hostClusterName(h.HTTPGateway, catalog.ProtocolHTTP, h.Host, port)
	forwarded := forward([]weightedCluster{{cluster: cluster, weight: 1}}, requestTimeout(s.EgressUpstreams[h.Setting]), retryPolicy(nil))
	return outsideHost(h.Host, port, h.Restricted, h.Matches, &routev3.Route{Action: forwarded})
}

// outsideHost handles the requests to a host with the action of a route, and rejects those that no policy allows.
func outsideHost(name string, port uint16, restricted bool, matches []catalog.HTTPMatch, allowed *routev3.Route) *routev3.VirtualHost {
	domain := name
	if address, err := netip.ParseAddr(name); err == nil && address.Is6() {
		domain = "[" + name + "]"
	}
	host := &routev3.VirtualHost{Name: "egress_virtual-host|" + name, Domains: []string{domain, fmt.Sprintf("%s:%d", domain, port)}}
	if !restricted {
		host.Routes = []*routev3.Route{{Match: anyRequest(), Action: allowed.GetAction()}}
		return host
	}
	ambiguous := anyRequest()
	ambiguous.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: regexMatcher(authz.AmbiguousPath)}
	host.Routes = []*routev3.Route{{Match: ambiguous, Action: directResponse(400, "servers read this path in different ways, and the Egress of this host restricts paths\n")}}
	for _, match := range matches {
		host.Routes = append(host.Routes, &routev3.Route{Match: requestMatch(match), Action: allowed.GetAction()})
	}
	host.Routes = append(host.Routes, &routev3.Route{Match: anyRequest(), Action: directResponse(404, "no Egress allows this request to this host\n")})
	return host
}

// otherHosts handles requests to hosts that no policy names.
func otherHosts(s *scope.Scope, port uint16) *routev3.VirtualHost {
	host := &routev3.VirtualHost{Name: "egress_virtual-host|*", Domains: []string{"*"}}
	route := &routev3.Route{Match: anyRequest(), Action: directResponse(404, "no Egress allows this host\n")}
	if s.Egress {
		route.Action = forward([]weightedCluster{{cluster: originalPortName(port), weight: 1}}, 0, nil)
	}
	host.Routes = []*routev3.Route{route}
	return host
}
