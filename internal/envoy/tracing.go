package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	tracev3 "github.com/envoyproxy/go-control-plane/envoy/config/trace/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// TracingCluster is OSM's name of the cluster of the server that receives traces.
const TracingCluster = "envoy-tracing-cluster"

// tracing sends a span of each sampled request. A request that belongs to a trace continues it, in the headers of B3 or of W3C, and the
// span names the sidecar by its identity. The application must copy these headers to the requests that it makes in turn.
func tracing(server *catalog.Tracing) *hcmv3.HttpConnectionManager_Tracing {
	if server == nil {
		return nil
	}
	return &hcmv3.HttpConnectionManager_Tracing{
		RandomSampling: &typev3.Percent{Value: server.Sampling},
		Provider: &tracev3.Tracing_Http{
			Name: "envoy.tracers.zipkin",
			ConfigType: &tracev3.Tracing_Http_TypedConfig{TypedConfig: message.Any(&tracev3.ZipkinConfig{
				CollectorCluster:         TracingCluster,
				CollectorEndpoint:        server.Path,
				CollectorHostname:        server.Address,
				CollectorEndpointVersion: tracev3.ZipkinConfig_HTTP_JSON,
				TraceId_128Bit:           true,
				// Client and server have a span each, as in OpenTelemetry.
				SharedSpanContext:  wrapperspb.Bool(false),
				TraceContextOption: tracev3.ZipkinConfig_USE_B3_WITH_W3C_PROPAGATION,
			})},
		},
	}
}

// tracingClusters has the server that receives traces. While its name does not resolve, traces are lost and requests are not affected.
func tracingClusters(s *scope.Scope) []*clusterv3.Cluster {
	server := s.Tracing
	if server == nil {
		return nil
	}
	return []*clusterv3.Cluster{serverCluster(TracingCluster, server.Address, server.Port, s.Key.Class)}
}
