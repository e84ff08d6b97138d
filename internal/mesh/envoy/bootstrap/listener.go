package bootstrap

import (
	"net/http"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	aggregatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/aggregate/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// httpConnectionManagerFilter answers the listed paths and nothing else. Its listeners are open to the whole cluster.
func httpConnectionManagerFilter(statPrefix string, routes []*routev3.Route, filters ...*hcmv3.HttpFilter) *listenerv3.Filter {
	return message.NetworkFilter("http_connection_manager", connectionManager(statPrefix, routes, filters...))
}

func connectionManager(statPrefix string, routes []*routev3.Route, filters ...*hcmv3.HttpFilter) *hcmv3.HttpConnectionManager {
	router := message.HTTPFilter("http_router", &routerv3.Router{SuppressEnvoyHeaders: true})
	return &hcmv3.HttpConnectionManager{
		StatPrefix:        statPrefix,
		CodecType:         codecOf(routes),
		GenerateRequestId: wrapperspb.Bool(false),
		// Some programs that check health use HTTP/1.0, and name no host.
		HttpProtocolOptions: &corev3.Http1ProtocolOptions{AcceptHttp_10: true, DefaultHostForHttp_10: "localhost"},
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{
			VirtualHosts: []*routev3.VirtualHost{{Name: "local_service", Domains: []string{"*"}, Routes: routes}},
		}},
		HttpFilters: append(filters, router),
	}
}

// pathRoute forwards requests without a body for one exact path to a cluster under another path. Any pod can send such a
// request, so it must not carry anything into the application: no query, and no other method.
func pathRoute(method, match, cluster, rewrite string, timeout time.Duration) *routev3.Route {
	headers := []*routev3.HeaderMatcher{exactHeader(":method", method), exactHeader(":path", match)}
	if method == http.MethodGet {
		headers = append(headers, absentHeader("transfer-encoding"), withoutBody())
	}
	return &routev3.Route{
		Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: match}, Headers: headers},
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{
			ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster},
			PrefixRewrite:    rewrite,
			Timeout:          durationpb.New(timeout),
		}},
		// The kubelet follows redirects to the same host, where no other path exists. Without a location it counts
		// the redirect as success.
		ResponseHeadersToRemove: []string{"location"},
	}
}

// exactHeader matches one value of a header. The value of ":path" includes the query.
func exactHeader(name, value string) *routev3.HeaderMatcher {
	return message.Header(name, message.Exact(value))
}

func absentHeader(name string) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: false}}
}

// withoutBody matches requests whose content-length is absent or 0.
func withoutBody() *routev3.HeaderMatcher {
	header := message.Header("content-length", message.Regex("0?"))
	header.TreatMissingHeaderAsEmpty = true
	return header
}

// codecOf is HTTP/1, in which a body has a header, unless a route has another method than GET: the kubelet sends gRPC probes
// over HTTP/2, and all others over HTTP/1.
func codecOf(routes []*routev3.Route) hcmv3.HttpConnectionManager_CodecType {
	for _, route := range routes {
		for _, header := range route.GetMatch().GetHeaders() {
			if header.GetName() == ":method" && header.GetStringMatch().GetExact() != http.MethodGet {
				return hcmv3.HttpConnectionManager_AUTO
			}
		}
	}
	return hcmv3.HttpConnectionManager_HTTP1
}

const loopback = "127.0.0.1"

// localTimeout bounds connections inside the pod.
const localTimeout = time.Second

func endpoints(cluster, host string, port uint16) *endpointv3.ClusterLoadAssignment {
	return message.OneEndpoint(cluster, message.SocketAddress(host, port))
}

// localCluster is a port on the pod's loopback address.
func localCluster(name string, port uint16) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 name,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:       durationpb.New(localTimeout),
		LoadAssignment:       endpoints(name, loopback, port),
	}
}

// podListener listens on every address of the pod, for clients outside it.
func podListener(c Config, name string, port uint16, filters ...*listenerv3.Filter) *listenerv3.Listener {
	listener := &listenerv3.Listener{
		Name:         name,
		Address:      message.SocketAddress("0.0.0.0", port),
		FilterChains: []*listenerv3.FilterChain{{Filters: filters}},
	}
	if c.hasIPv6() {
		listener.AdditionalAddresses = []*listenerv3.AdditionalAddress{{Address: message.SocketAddress("::", port)}}
	}
	return listener
}

const (
	// ReadyPath is the path on names.ReadyPort that answers 200 once the sidecar has accepted its first configuration.
	ReadyPath             = "/ready"
	readyListenerName     = "ready_listener"
	readyClusterName      = "ready_cluster"
	readyAdminClusterName = "ready_admin_cluster"
)

// readyListener exposes one path of the admin interface to the kubelet. Envoy accepts no connections before its first
// clusters and listeners have arrived, so the probe fails until then.
func readyListener(c Config) *listenerv3.Listener {
	route := pathRoute(http.MethodGet, ReadyPath, readyClusterName, ReadyPath, localTimeout)
	return podListener(c, readyListenerName, names.ReadyPort, httpConnectionManagerFilter(readyListenerName, []*routev3.Route{route}))
}

// readyClusters forward to the admin interface unless the control plane has sent names.UnreadyCluster. Envoy reports
// itself ready after it rejected its first configuration, so its own answer is not enough.
func readyClusters() []*clusterv3.Cluster {
	return []*clusterv3.Cluster{
		{
			Name: readyClusterName,
			ClusterDiscoveryType: &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{
				Name:        "envoy.clusters.aggregate",
				TypedConfig: message.Any(&aggregatev3.ClusterConfig{Clusters: []string{names.UnreadyCluster, readyAdminClusterName}}),
			}},
			ConnectTimeout: durationpb.New(localTimeout),
			LbPolicy:       clusterv3.Cluster_CLUSTER_PROVIDED,
		},
		localCluster(readyAdminClusterName, names.AdminPort),
	}
}
