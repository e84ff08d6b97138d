package envoy

import (
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// routeConnections adds the filter chains of routes of the Gateway API for a port. Envoy closes and logs the connections that match none. The chains
// of TLSRoutes have the names of the routes, so a change of one leaves the connections of others alone.
func routeConnections(out *listenerv3.Listener, s *translation, o scope.Outbound) {
	out.AccessLog = s.logs().unroutedConnections
	for i := range o.ConnectionRoutes {
		route := &o.ConnectionRoutes[i]
		to, _ := routeClusters(route.Backends)
		if clientChoosesPod(o, route.Backends) {
			to = weightedClusters(o, route.Backends)
		}
		chain := &listenerv3.FilterChain{Name: outboundChainName(o), Filters: outboundTCP(s, o, to)}
		if route.Route.Kind == entity.KindTLSRoute {
			chain.Name += "|" + route.Route.Name.String()
			chain.FilterChainMatch = &listenerv3.FilterChainMatch{ServerNames: route.ServerNames}
			out.ListenerFilters = []*listenerv3.ListenerFilter{readServerName}
		}
		out.FilterChains = append(out.FilterChains, chain)
	}
	if len(out.FilterChains) == 0 {
		out.FilterChains = noFilterChains()
	}
}

// readServerName reads the server name of a TLS handshake. Connections without one match no chain with server names.
var readServerName = listenerFilter(tlsInspectorFilter, &tlsinspectorv3.TlsInspector{CloseConnectionOnClientHelloParsingErrors: true})
