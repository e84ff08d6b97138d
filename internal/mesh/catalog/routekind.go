package catalog

import "strings"

// RouteKinds are the kinds of routes of the Gateway API.
func RouteKinds() []Kind {
	return []Kind{KindGRPCRoute, KindHTTPRoute, KindTLSRoute, KindGatewayTCPRoute}
}

// RoutesConnections reports whether routes of the kind select connections. Those of other kinds select HTTP requests.
func (k Kind) RoutesConnections() bool { return k == KindTLSRoute || k == KindGatewayTCPRoute }

// APIName is the kind in the Kubernetes API. Only KindGatewayTCPRoute has another name here.
func (k Kind) APIName() string {
	name, _, _ := strings.Cut(string(k), ".")
	return name
}

// routes reports whether routes of the kind apply to ports with the protocol of a port.
func (k Kind) routes(port Port) bool {
	switch k {
	case KindTLSRoute:
		return port.TLS
	case KindGatewayTCPRoute:
		return !port.Protocol.IsHTTP()
	default:
		return port.Protocol.IsHTTP()
	}
}
