package envoy

import (
	"net/netip"
	"slices"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	originaldstv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/original_dst/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// boundListeners are the listeners that bind ports of the pod, and those for ports outside the mesh, which belong to this client.
func boundListeners(s *translation, inbound []inboundPort) []*listenerv3.Listener {
	out := slices.Concat(gatewayListeners(s), egressGatewayListeners(s), peerGatewayListeners(s))
	if len(inbound) > 0 {
		out = append(out, inboundListenerOf(s, inbound))
	}
	if s.Key.Proxy == scope.ProxySidecar || s.Egress || len(s.Outbound) > 0 || hasEgressChains(s) {
		out = append(out, outboundListenerOf(s))
	}
	out = append(out, egressListeners(s)...)
	if s.Key.Class.Metrics {
		out = append(out, metricsListener(s.Key.Class))
	}
	return out
}

func listenerResources(list []*listenerv3.Listener) []Resource {
	return newResources(ListenerType, (*listenerv3.Listener).GetName, list)
}

// newBoundListener listens on every address of the pod. It binds IPv6 only when the pod has an IPv6 address: Envoy
// rejects a listener that it cannot bind.
func newBoundListener(name string, port uint16, class scope.Class, direction corev3.TrafficDirection) *listenerv3.Listener {
	return newListener(name, anyAddress(port, class), direction)
}

// newListener has all addresses. Envoy names statistics after the first one.
func newListener(name string, addresses []netip.AddrPort, direction corev3.TrafficDirection) *listenerv3.Listener {
	out := &listenerv3.Listener{Name: name, Address: socketAddress(addresses[0]), TrafficDirection: direction}
	for _, a := range addresses[1:] {
		out.AdditionalAddresses = append(out.AdditionalAddresses, &listenerv3.AdditionalAddress{Address: socketAddress(a)})
	}
	boundClients(out)
	return out
}

// claimAddresses returns the addresses of the pod's address families that are not taken yet, and marks them as taken. It changes the list.
func claimAddresses(addresses []netip.AddrPort, class scope.Class, taken map[netip.AddrPort]bool) []netip.AddrPort {
	return slices.DeleteFunc(addresses, func(a netip.AddrPort) bool {
		if taken[a] || a.Addr().Is6() && !class.IPv6 {
			return true
		}
		taken[a] = true
		return false
	})
}

func listenerFilter(name string, config proto.Message) *listenerv3.ListenerFilter {
	return &listenerv3.ListenerFilter{
		Name:       name,
		ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: message.Any(config)},
	}
}

// originalDestination restores the destination that a connection had before it was redirected.
var originalDestination = listenerFilter(originalDstFilter, &originaldstv3.OriginalDst{})

// HTTP filters with a fixed configuration.
var (
	requestRBACFilter = message.HTTPFilter(httpRBACFilter, &httprbacv3.RBAC{Rules: withoutRoute})
	router            = message.HTTPFilter(routerFilter, &routerv3.Router{})
)

// inboundHTTP handles requests from other workloads.
func inboundHTTP(s *translation, routeConfig string, in inboundPort) *listenerv3.Filter {
	hcm := serverConnectionManager(s, routeConfig, in.Service)
	hcm.HttpFilters = slices.Concat(
		// The rules of RBAC come with the virtual host, so a path without a route is answered with 404 instead of 403.
		[]*hcmv3.HttpFilter{healthCheckFilter, requestRBACFilter},
		// After RBAC, which matches the headers as the client sent them.
		removeSpellings(s),
		// After RBAC: requests that policies deny cost the authorization server nothing.
		externalAuthorization(s),
		// Last, so that denied requests do not use up the limit.
		[]*hcmv3.HttpFilter{requestLimit(s)},
		globalRequestLimit(in.Limits),
		[]*hcmv3.HttpFilter{router},
	)
	hcm.LocalReplyConfig = notProcessed
	decodeSlashes(hcm, in.DecodeSlashes)
	return message.NetworkFilter(hcmFilter, hcm)
}

// serverConnectionManager normalizes paths before matching and rejects ambiguous ones: "/public/..%2Fadmin" could be one path for the
// policy and another for the application. An empty Service is that of a gateway, whose clients must name a host.
func serverConnectionManager(s *translation, routeConfig string, service entity.Name) *hcmv3.HttpConnectionManager {
	hcm := connectionManager(s, routeConfig)
	if service != (entity.Name{}) {
		defaultHost(hcm, service)
	}
	// A server that needs the body for its decision gets it only if the client need not wait for the application.
	hcm.Proxy_100Continue = !slices.ContainsFunc(s.Authorizations, func(a extauthz.Server) bool { return a.Policy.MaxRequestBytes > 0 })
	hcm.NormalizePath = wrapperspb.Bool(true)
	hcm.MergeSlashes = true
	hcm.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_REJECT_REQUEST
	hcm.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{HeadersWithUnderscoresAction: underscores(s)}
	hcm.AccessLog = inboundRequestLoggers(s)
	return hcm
}

// outboundHTTP handles requests of the local application. It leaves paths unchanged, because the server's sidecar
// authorizes them.
func outboundHTTP(s *translation, routeConfig string, filters ...*hcmv3.HttpFilter) *hcmv3.HttpConnectionManager {
	hcm := connectionManager(s, routeConfig)
	hcm.HttpFilters = append(filters, router)
	hcm.Http2ProtocolOptions = localStreams
	return hcm
}

// defaultHost names the Service to the application if a client of HTTP/1.0 names no host.
func defaultHost(hcm *hcmv3.HttpConnectionManager, service entity.Name) {
	hcm.HttpProtocolOptions.DefaultHostForHttp_10 = names.ServiceHost(service.Name, service.Namespace)
}

// drainTimeout is how long Envoy waits between the two GOAWAY frames that end a connection with HTTP/2. It is more than a third of the drain:
// with less, Envoy 1.40 closes idle connections and WebSockets at a random time in the last third, also of an Envoy that drains while another one
// serves, and what a client sends in the second before is lost.
const drainTimeout = names.DrainTime / 2

// noInternalAddress has a range that no client is in. A configuration without a range makes Envoy trust clients with private addresses, and those
// that claim one in x-forwarded-for.
var noInternalAddress = &hcmv3.HttpConnectionManager_InternalAddressConfig{
	CidrRanges: []*corev3.CidrRange{{AddressPrefix: "::", PrefixLen: wrapperspb.UInt32(128)}},
}

// connectionManager is the configuration that both directions share. No address counts as internal, so Envoy removes
// x-envoy- headers, with which a client could change timeouts, retries or statistics. It also removes the client
// certificate header. x-forwarded-proto and x-request-id pass, because a gateway in front of the mesh may set them.
func connectionManager(s *translation, routeConfig string) *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{
		StatPrefix:               "mesh-http-conn-manager." + routeConfig,
		CodecType:                hcmv3.HttpConnectionManager_AUTO,
		ForwardClientCertDetails: hcmv3.HttpConnectionManager_SANITIZE,
		InternalAddressConfig:    noInternalAddress,
		GenerateRequestId:        wrapperspb.Bool(true),
		// Envoy's default ends a request after five minutes without data: quiet gRPC streams and WebSockets, slow answers.
		StreamIdleTimeout: durationpb.New(0),
		DrainTimeout:      durationpb.New(drainTimeout),
		// Clients of HTTP/1.0 are served too, such as nginx by default.
		HttpProtocolOptions:  &corev3.Http1ProtocolOptions{AcceptHttp_10: true, EnableTrailers: true},
		Http2ProtocolOptions: boundedStreams(nil),
		// The application decides whether the client sends its body.
		Proxy_100Continue: true,
		AccessLog:         s.logs().outboundRequests,
		Tracing:           tracing(s.Tracing),
		UpgradeConfigs:    []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}},
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
			ConfigSource:    ads,
			RouteConfigName: routeConfig,
		}},
	}
}

// maxConnectAttempts is how many endpoints are tried for one connection. No bytes were sent before a connection is
// established, so another attempt is always safe.
const maxConnectAttempts = 3

// maxEarlyBytes is how much a client may send before the connection to the application is established.
const maxEarlyBytes = 16 << 10

// tcpToApplication forwards connections of verified clients to the application. It closes connections that are idle for the given time; 0 is
// Envoy's default of an hour.
func tcpToApplication(logs []*accesslogv3.AccessLog, statPrefix, clusterName string, idle time.Duration, mode tcpv3.UpstreamConnectMode) *listenerv3.Filter {
	proxy := &tcpv3.TcpProxy{
		IdleTimeout:         durationUnlessZero(idle),
		StatPrefix:          statPrefix,
		ClusterSpecifier:    &tcpv3.TcpProxy_Cluster{Cluster: clusterName},
		UpstreamConnectMode: mode,
	}
	if mode != tcpv3.UpstreamConnectMode_IMMEDIATE {
		proxy.MaxEarlyDataBytes = wrapperspb.UInt32(maxEarlyBytes)
	}
	return tcpProxy(logs, proxy)
}

// connectMode is the time of the connection to the application: once the TLS handshake has verified the client. Behind a filter that waits
// for a rate limit service, Envoy misses the end of the handshake. The first data of the client comes after it. Clients of server-first
// protocols send none, so their connections are opened at once, and only their data waits for the handshake.
func connectMode(in inboundPort) tcpv3.UpstreamConnectMode {
	switch {
	case in.Limits == nil || in.Limits.GlobalConnections == nil:
		return tcpv3.UpstreamConnectMode_ON_DOWNSTREAM_TLS_HANDSHAKE
	case in.Protocol == inventory.ProtocolTCPServerFirst:
		return tcpv3.UpstreamConnectMode_IMMEDIATE
	default:
		return tcpv3.UpstreamConnectMode_ON_DOWNSTREAM_DATA
	}
}

// tcpToCluster forwards connections to one cluster.
func tcpToCluster(logs []*accesslogv3.AccessLog, statPrefix, clusterName string) *listenerv3.Filter {
	return tcpProxy(logs, &tcpv3.TcpProxy{
		StatPrefix:       statPrefix,
		ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: clusterName},
	})
}

// tcpSplit forwards connections to several clusters by weight. It closes connections that are idle for the given time;
// 0 is Envoy's default of an hour.
func tcpSplit(logs []*accesslogv3.AccessLog, statPrefix string, weightedClusters []weightedCluster, idle time.Duration) *listenerv3.Filter {
	split := &tcpv3.TcpProxy_WeightedCluster{}
	for _, b := range weightedClusters {
		split.Clusters = append(split.Clusters, &tcpv3.TcpProxy_WeightedCluster_ClusterWeight{Name: b.cluster, Weight: b.weight})
	}
	return tcpProxy(logs, &tcpv3.TcpProxy{
		StatPrefix:         statPrefix,
		ClusterSpecifier:   &tcpv3.TcpProxy_WeightedClusters{WeightedClusters: split},
		MaxConnectAttempts: wrapperspb.UInt32(maxConnectAttempts),
		IdleTimeout:        durationUnlessZero(idle),
	})
}

// tcpProxy logs when the connection to the upstream is established, and at the end.
func tcpProxy(logs []*accesslogv3.AccessLog, config *tcpv3.TcpProxy) *listenerv3.Filter {
	config.AccessLog = logs
	config.AccessLogOptions = &tcpv3.TcpProxy_TcpAccessLogOptions{FlushAccessLogOnConnected: true}
	return message.NetworkFilter(tcpProxyFilter, config)
}
