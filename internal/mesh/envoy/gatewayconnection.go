package envoy

import (
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// addGatewayConnections adds the filter chains of a listener with routes of connections: one for each TLSRoute, or that of the TCPRoute. Envoy closes and
// logs the connections that match none.
func addGatewayConnections(out *listenerv3.Listener, s *translation, l *scope.GatewayListener) {
	out.AccessLog = s.logs().unroutedConnections
	if l.Protocol == catalog.ListenerTLS {
		out.ListenerFilters = []*listenerv3.ListenerFilter{readServerName}
	}
	for i := range l.Connections {
		route := &l.Connections[i]
		chain := &listenerv3.FilterChain{Name: gatewayConnectionName(l, route), Filters: gatewayTCP(s, l, route)}
		if l.Protocol == catalog.ListenerTLS {
			chain.FilterChainMatch = &listenerv3.FilterChainMatch{ServerNames: route.ServerNames, TransportProtocol: "tls"}
		}
		out.FilterChains = append(out.FilterChains, chain)
	}
}

// gatewayTCP forwards connections to the backends of a route. Without any, it closes and logs them: Envoy logs nothing of a chain without filters.
func gatewayTCP(s *translation, l *scope.GatewayListener, route *scope.ConnectionRoute) []*listenerv3.Filter {
	to, _ := routeClusters(route.Backends)
	if len(to) == 0 {
		to = []weightedCluster{{cluster: noBackend, weight: 1}}
	}
	return []*listenerv3.Filter{nameClient, tcpSplit(s.logs().outboundConnections, "gateway-tcp-proxy."+gatewayConnectionName(l, route), to, 0)}
}

// gatewayConnectionName is the name of a filter chain. It has that of the route, so a change of one leaves the connections of others alone.
func gatewayConnectionName(l *scope.GatewayListener, route *scope.ConnectionRoute) string {
	name := names.GatewayListener(l.Port) + "|" + l.Name
	if route.Route.Kind == "" {
		return name + "|closed"
	}
	return name + "|" + route.Route.Name.String()
}
