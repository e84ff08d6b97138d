package envoy

import (
	"net/netip"
	"slices"
	"time"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	ondemandv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/on_demand/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

const (
	// destinationHeader has the name of the cluster that serves the destination of a connection. The sidecar overwrites what the application sends, and
	// removes the header before it forwards a request.
	destinationHeader = "x-osm-destination"

	// loadTimeout is how long the first request to a destination waits for its cluster. Without an answer of the control plane it ends with status 503, which
	// the router sends before any retry policy applies. After an outage, most sidecars are connected again by then: they try after ten seconds at most, see
	// retryMax of package bootstrap. Envoy 1.40 does not wait longer than this, whatever its configuration says.
	loadTimeout = 15 * time.Second

	// UnknownDestination is the cluster, as logs and statistics name it, of destinations that the client may not call, or that do not exist.
	UnknownDestination = "unknown-destination"
)

// nameDestination sets destinationHeader. The destination address alone decides, as everywhere else: no header of the application has an effect.
var nameDestination = message.Extension("envoy.http.early_header_mutation.header_mutation", &earlyv3.HeaderMutation{
	Mutations: []*mutationv3.HeaderMutation{setHeader(destinationHeader, scope.OnDemandNameFormat("%DOWNSTREAM_LOCAL_ADDRESS%"))},
})

const onDemandFilter = "envoy.filters.http.on_demand"

// loadDestination loads the cluster of a request that the sidecar does not have yet, and the request waits.
var loadDestination = message.HTTPFilter(onDemandFilter, &ondemandv3.OnDemand{
	Odcds: &ondemandv3.OnDemandCds{Source: ads, Timeout: durationpb.New(loadTimeout)},
})

// loadNothing is for requests to clusters that are not named by a destination. The sidecar has all of them that exist, and a request to another one is answered
// at once. Envoy 1.40 asks for a name only once: the second request to a cluster that does not exist would wait for the timeout.
var loadNothing = map[string]*anypb.Any{onDemandFilter: message.Any(&ondemandv3.PerRouteConfig{})}

// anyHost is the host that an application receives if a client of HTTP/1.0 names none: all Services on a port number share this configuration.
const anyHost = "localhost"

// onDemandHTTP handles the requests of the local application to all Services with HTTP on a port number.
func onDemandHTTP(s *translation, port uint16) *listenerv3.Filter {
	hcm := connectionManager(s, portRouteName(port))
	hcm.AccessLog = append(slices.Clip(s.logs().sharedRequests), denialLog(toUnknownDestination))
	hcm.HttpProtocolOptions.DefaultHostForHttp_10 = anyHost
	hcm.EarlyHeaderMutationExtensions = []*corev3.TypedExtensionConfig{nameDestination}
	hcm.HttpFilters = []*hcmv3.HttpFilter{keepSessions, loadDestination, router}
	return message.NetworkFilter(hcmFilter, hcm)
}

// forwardToDestination sends requests to the cluster that destinationHeader names. A timeout of 0 means none.
func forwardToDestination(timeout time.Duration, retry *routev3.RetryPolicy) *routev3.Route_Route {
	return &routev3.Route_Route{Route: &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_ClusterHeader{ClusterHeader: destinationHeader},
		Timeout:          durationpb.New(timeout),
		RetryPolicy:      retry,
	}}
}

// onDemandTCP forwards connections to a cluster that is loaded at the first one. Connections wait for it, also those of clients that send nothing first.
func onDemandTCP(s *translation, o scope.Outbound) *listenerv3.Filter {
	return tcpProxy(s.logs().outboundConnections, &tcpv3.TcpProxy{
		StatPrefix:         outboundTCPPrefix(o),
		ClusterSpecifier:   &tcpv3.TcpProxy_Cluster{Cluster: scope.OnDemandName(netip.AddrPortFrom(o.Addresses[0], o.Port))},
		OnDemand:           &tcpv3.TcpProxy_OnDemand{OdcdsConfig: ads, Timeout: durationpb.New(loadTimeout)},
		MaxConnectAttempts: wrapperspb.UInt32(maxConnectAttempts),
		IdleTimeout:        durationUnlessZero(tcpIdleTimeout(o.Upstream)),
	})
}

// outboundDestinationRoute sends requests to the Service itself, or to the backends of a list.
func outboundDestinationRoute(s *translation, o scope.Outbound, own *retrySettings) *routev3.Route {
	if s.LoadsOnDemand(&o) {
		return &routev3.Route{Match: anyRequest(), Action: forwardToDestination(requestTimeout(o.Upstream), retryPolicy(own))}
	}
	return outboundRoute(o, anyRequest(), o.Backends, own)
}

// NoDestination is the cluster of a destination that does not exist, or that the client may not call. It has no endpoints, so requests fail at once. Envoy asks
// for a name only once, so the cluster is replaced when the destination comes to exist.
func NoDestination(name string) Resource {
	out := emptyCluster(name)
	out.AltStatName = UnknownDestination
	return Resource{TypeURL: ClusterType, Name: name, Message: out}
}
