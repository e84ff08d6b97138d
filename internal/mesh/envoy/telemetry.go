package envoy

import (
	"math"
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tracev3 "github.com/envoyproxy/go-control-plane/envoy/config/trace/v3"
	statsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stats/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	samplersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/tracers/opentelemetry/samplers/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TracingCluster is OSM's name of the cluster of the server that receives traces.
const TracingCluster = "envoy-tracing-cluster"

// exportTimeout bounds one request with spans over OTLP.
const exportTimeout = 5 * time.Second

// tracing sends a span of each sampled request. A request that belongs to a trace continues it, and the span names the sidecar by its
// identity. The application must copy the headers of the trace to the requests that it makes in turn.
func tracing(server *catalog.Tracing) *hcmv3.HttpConnectionManager_Tracing {
	if server == nil {
		return nil
	}
	name, config, sampling := "envoy.tracers.zipkin", proto.Message(zipkin(server)), server.Sampling
	if server.OTLP { // its sampler decides
		name, config, sampling = "envoy.tracers.opentelemetry", openTelemetry(server), 100
	}
	provider := &tracev3.Tracing_Http{Name: name, ConfigType: &tracev3.Tracing_Http_TypedConfig{TypedConfig: message.Any(config)}}
	return &hcmv3.HttpConnectionManager_Tracing{RandomSampling: &typev3.Percent{Value: sampling}, Provider: provider}
}

// zipkin continues traces in the headers of B3 or of W3C.
func zipkin(server *catalog.Tracing) *tracev3.ZipkinConfig {
	return &tracev3.ZipkinConfig{
		CollectorCluster:         TracingCluster,
		CollectorEndpoint:        server.Path,
		CollectorHostname:        server.Address,
		CollectorEndpointVersion: tracev3.ZipkinConfig_HTTP_JSON,
		TraceId_128Bit:           true,
		// Client and server have a span each, as in OpenTelemetry.
		SharedSpanContext:  wrapperspb.Bool(false),
		TraceContextOption: tracev3.ZipkinConfig_USE_B3_WITH_W3C_PROPAGATION,
	}
}

// openTelemetry continues traces in the headers of W3C. Listeners are shared among sidecars, so the environment of the sidecar has its
// name, in names.ResourceAttributesEnv.
func openTelemetry(server *catalog.Tracing) *tracev3.OpenTelemetryConfig {
	service := message.GRPC(TracingCluster)
	service.GetEnvoyGrpc().Authority, service.Timeout = server.Address, durationpb.New(exportTimeout)
	return &tracev3.OpenTelemetryConfig{
		GrpcService:       service,
		Sampler:           sampler(server.Sampling),
		ResourceDetectors: message.SidecarEnvironment,
	}
}

// sampler follows the decision of the caller, and decides by percentage where a trace begins. Without it, Envoy would apply the percentage
// to sampled requests of callers again.
func sampler(percentage float64) *corev3.TypedExtensionConfig {
	const millionthsPerPercent = 10_000
	ratio := &samplersv3.TraceIdRatioBasedSamplerConfig{SamplingPercentage: &typev3.FractionalPercent{
		Numerator: uint32(math.Round(percentage * millionthsPerPercent)), Denominator: typev3.FractionalPercent_MILLION,
	}}
	parent := &samplersv3.ParentBasedSamplerConfig{WrappedSampler: &corev3.TypedExtensionConfig{
		Name: "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based", TypedConfig: message.Any(ratio),
	}}
	return &corev3.TypedExtensionConfig{Name: "envoy.tracers.opentelemetry.samplers.parent_based", TypedConfig: message.Any(parent)}
}

// tracingClusters has the server that receives traces. While its name does not resolve, traces are lost and requests are not affected.
func tracingClusters(s *translation) []*clusterv3.Cluster {
	server := s.Tracing
	if server == nil {
		return nil
	}
	cluster := configuredCluster(s, TracingCluster, server.Address, server.Port, !server.OTLP)
	if server.OTLP {
		cluster.TypedExtensionProtocolOptions = map[string]*anypb.Any{message.HTTPProtocolOptions: message.Any(onlyHTTP2)}
	}
	return []*clusterv3.Cluster{cluster}
}

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
	grpcStatus        = label{"grpc_status", "%GRPC_STATUS_NUMBER%"} // empty for requests of other protocols
	requestVerdict    = label{"verdict", "%DYNAMIC_METADATA(" + httpRBACFilter + ":" + engineResult + ")%"}
	connectionVerdict = label{"verdict", "%CEL(" + connectionDenied + " ? 'denied' : 'allowed')%"}
)

// The statistics of each kind of listener. The server's have other names, so a sum over one name counts each request once.
var (
	outboundRequestStats = requestStats("", outboundLabels, append(slices.Clone(proven), responseCode, grpcStatus))
	inboundRequestStats  = requestStats("inbound_", ownDestination, []label{responseCode, grpcStatus, requestVerdict})
	outboundOpenedStats  = openedStats("", outboundLabels)
	outboundClosedStats  = closedStats("", outboundLabels, proven)
	inboundRouteStats    = routeStats()
	inboundOpenedStats   = openedStats("inbound_", ownDestination)
	inboundClosedStats   = closedStats("inbound_", ownDestination, []label{connectionVerdict})
	inboundDeniedStats   = []stat{{name: "inbound_connections_denied_total", labels: slices.DeleteFunc(slices.Clone(ownDestination), isService)}}
)

// requestStats has no bytes: Envoy counts those of connections to each Service anyway.
func requestStats(prefix string, labels, more []label) []stat {
	return []stat{
		{name: prefix + "request_total", labels: slices.Concat(labels, more)},
		{name: prefix + "request_duration_ms", value: "%DURATION%", unit: statsv3.Config_Histogram_Milliseconds, labels: labels},
	}
}

// routeStats has no labels of clients: each route would have a histogram for each client. Without a route, its name is "-".
func routeStats() []stat {
	labels := append(slices.DeleteFunc(slices.Clone(ownDestination), isIdentity), label{"route", "%ROUTE_NAME%"})
	return []stat{
		{name: "inbound_route_request_total", labels: append(slices.Clone(labels), responseCode, grpcStatus, requestVerdict)},
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
