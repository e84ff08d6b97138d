package envoy

import (
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	statsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stats/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Expressions about denials. RBAC filters write these details, other filters write others.
const (
	requestDenied    = "response.code_details.startsWith('rbac_access_denied')"
	connectionDenied = "has(connection.termination_details) && connection.termination_details.startsWith('rbac_access_denied')"
)

// Labels of one side. Each side reports what it can prove. The client's sidecar has the source from its own environment, and the
// destination from the endpoint that it selected. The server's sidecar has the source from the certificate only.
var (
	ownSource = []label{
		{"source_namespace", environment(names.PodNamespaceEnv)},
		{"source_kind", environment(names.WorkloadKindEnv)},
		{"source_name", environment(names.WorkloadNameEnv)},
	}
	selectedDestination = []label{
		{"destination_namespace", clusterField(namespaceField)},
		{"destination_service", clusterField(serviceField)},
		{"destination_kind", endpointField(kindField)},
		{"destination_name", endpointField(nameField)},
	}
	ownDestination = []label{
		{"destination_namespace", environment(names.PodNamespaceEnv)},
		{"destination_service", clusterField(serviceField)},
		{"destination_kind", environment(names.WorkloadKindEnv)},
		{"destination_name", environment(names.WorkloadNameEnv)},
		{"source_identity", "%DOWNSTREAM_PEER_DNS_SAN%"},
	}
	outboundLabels    = slices.Concat(ownSource, selectedDestination)
	proven            = []label{{"source_identity", "%UPSTREAM_LOCAL_DNS_SAN%"}, {"destination_identity", "%UPSTREAM_PEER_DNS_SAN%"}}
	responseCode      = label{"response_code", "%RESPONSE_CODE%"}
	requestVerdict    = label{"verdict", verdict(requestDenied)}
	connectionVerdict = label{"verdict", verdict(connectionDenied)}
)

// The statistics of each kind of listener. The server's have other names, so a sum over one name counts each request once.
var (
	outboundRequestStats = requestStats("", outboundLabels, append(slices.Clone(proven), responseCode))
	inboundRequestStats  = requestStats("inbound_", ownDestination, []label{responseCode, requestVerdict})
	outboundOpenedStats  = openedStats("", outboundLabels)
	outboundClosedStats  = closedStats("", outboundLabels, proven)
	inboundRouteStats    = routeStats()
	inboundOpenedStats   = openedStats("inbound_", ownDestination)
	inboundClosedStats   = closedStats("inbound_", ownDestination, []label{connectionVerdict})
	inboundDeniedStats   = []stat{{name: "inbound_connections_denied_total", labels: slices.DeleteFunc(slices.Clone(ownDestination), isService)}}
)

func requestStats(prefix string, labels, more []label) []stat {
	return []stat{
		{name: prefix + "request_total", labels: slices.Concat(labels, more)},
		{name: prefix + "request_bytes_total", value: "%BYTES_RECEIVED%", labels: labels},
		{name: prefix + "response_bytes_total", value: "%BYTES_SENT%", labels: labels},
		{name: prefix + "request_duration_ms", value: "%DURATION%", unit: statsv3.Config_Histogram_Milliseconds, labels: labels},
	}
}

// routeStats has no labels of clients: each route would have a histogram for each client. Without a route, its name is "-".
func routeStats() []stat {
	labels := append(slices.DeleteFunc(slices.Clone(ownDestination), isIdentity), label{"route", "%ROUTE_NAME%"})
	return []stat{
		{name: "inbound_route_request_total", labels: append(slices.Clone(labels), responseCode, requestVerdict)},
		{name: "inbound_route_request_duration_ms", value: "%DURATION%", unit: statsv3.Config_Histogram_Milliseconds, labels: labels},
	}
}

func isIdentity(l label) bool { return l.name == "source_identity" }

func openedStats(prefix string, labels []label) []stat {
	return []stat{{name: prefix + "tcp_connections_opened_total", labels: labels}}
}

// closedStats has the bytes too: before its end a connection has no final number of bytes.
func closedStats(prefix string, labels, more []label) []stat {
	return []stat{
		{name: prefix + "tcp_connections_closed_total", labels: slices.Concat(labels, more)},
		{name: prefix + "tcp_request_bytes_total", value: "%BYTES_RECEIVED%", labels: labels},
		{name: prefix + "tcp_response_bytes_total", value: "%BYTES_SENT%", labels: labels},
	}
}

// isService reports whether a label depends on the upstream cluster, which a connection that was denied at once does not have.
func isService(l label) bool { return l.name == "destination_service" }

func environment(variable string) string { return "%ENVIRONMENT(" + variable + ")%" }

func clusterField(field string) string {
	return "%CLUSTER_METADATA(" + metadataNamespace + ":" + field + ")%"
}

func endpointField(field string) string {
	return "%UPSTREAM_METADATA(" + metadataNamespace + ":" + field + ")%"
}

func verdict(isDenied string) string { return "%CEL(" + isDenied + " ? 'denied' : 'allowed')%" }

// metricsPath is the only path of the admin interface that scrapers may read.
const metricsPath = "/stats/prometheus"

// metricsListener serves the sidecar's own metrics in plaintext to any client. It matches the exact path and GET, so
// the rest of the admin interface is not reachable.
func metricsListener(class scope.Class) *listenerv3.Listener {
	out := newBoundListener(prometheusListener, names.PrometheusPort, class, corev3.TrafficDirection_INBOUND)
	out.FilterChains = []*listenerv3.FilterChain{{
		Filters: []*listenerv3.Filter{message.NetworkFilter(hcmFilter, &hcmv3.HttpConnectionManager{
			StatPrefix:            "prometheus-http-conn-manager",
			InternalAddressConfig: &hcmv3.HttpConnectionManager_InternalAddressConfig{},
			HttpFilters:           []*hcmv3.HttpFilter{router},
			RouteSpecifier:        &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: metricsRoutes()},
		})},
	}}
	return out
}

func metricsRoutes() *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{
		Name:             prometheusListener,
		ValidateClusters: wrapperspb.Bool(false),
		VirtualHosts: []*routev3.VirtualHost{{
			Name:    metricsCluster,
			Domains: []string{"*"},
			Routes: []*routev3.Route{{
				Match: &routev3.RouteMatch{
					PathSpecifier: &routev3.RouteMatch_Path{Path: metricsPath},
					Headers:       []*routev3.HeaderMatcher{methodMatcher([]string{"GET"})},
				},
				Action: &routev3.Route_Route{Route: &routev3.RouteAction{
					ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: metricsCluster},
				}},
			}},
		}},
	}
}
