package envoy

import (
	"fmt"
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// gatewayRouteConfigs are the route configurations of the ingress gateway.
func gatewayRouteConfigs(s *translation) []*routev3.RouteConfiguration {
	if s.IngressGateway == nil {
		return nil
	}
	var out []*routev3.RouteConfiguration
	byName, hasStandIns := map[string]*routev3.RouteConfiguration{}, slices.ContainsFunc(s.Clusters, func(c scope.Cluster) bool { return c.StandIn != nil })
	for i := range s.IngressGateway.Listeners {
		l := &s.IngressGateway.Listeners[i]
		if l.Protocol != "" {
			continue
		}
		name := gatewayRouteName(l)
		config := byName[name]
		if config == nil {
			config = &routev3.RouteConfiguration{Name: name, ValidateClusters: wrapperspb.Bool(false), IgnorePortInHostMatching: true}
			s.removeMarks(config)
			byName[name] = config
			out = append(out, config)
		}
		for _, host := range l.Hosts {
			built := gatewayVirtualHost(s, l, host)
			if hasStandIns {
				repeatAtStandIn(built)
			}
			if isValidHost(built) {
				config.VirtualHosts = append(config.VirtualHosts, built)
			}
		}
		if host := misdirectedHost(l); host != nil && isValidHost(host) {
			config.VirtualHosts = append(config.VirtualHosts, host)
		}
	}
	return out
}

func gatewayVirtualHost(s *translation, l *scope.GatewayListener, h scope.GatewayHost) *routev3.VirtualHost {
	host := &routev3.VirtualHost{Name: fmt.Sprintf("%s|%s", l.Name, h.Domain), Domains: []string{h.Domain}, Routes: ambiguousRequestRoutes()}
	forwards := slices.ContainsFunc(h.Routes, func(r scope.HTTPRoute) bool { return r.DecodeSlashes })
	if forwards {
		host.Routes = append(host.Routes, hiddenDots())
	} else {
		host.Routes = append(host.Routes, rejectSlashes(anyRequest()))
	}
	for i := range h.Routes {
		if route := validRoute(routeOf(l.Port, &h.Routes[i], nil)); route != nil {
			if forwards && !h.Routes[i].DecodeSlashes {
				host.Routes = append(host.Routes, rejectSlashes(route.GetMatch()))
			}
			host.Routes = append(host.Routes, route)
		}
	}
	protectNames(s, host, false)
	return host
}

// misdirectedHost answers requests for hosts of other listeners. Clients repeat them on a connection with the right server name, where the other listener
// can demand a certificate of them. It is nil without such hosts.
func misdirectedHost(l *scope.GatewayListener) *routev3.VirtualHost {
	if len(l.Misdirected) == 0 {
		return nil
	}
	answer := &routev3.Route{Match: anyRequest(), Action: directResponse(421, "another listener serves this host: connect with its name\n")}
	return &routev3.VirtualHost{Name: l.Name + "|misdirected", Domains: l.Misdirected, Routes: []*routev3.Route{answer}}
}
