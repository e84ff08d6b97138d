package bootstrap

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	healthcheckv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/health_check/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// probesStatPrefix is the statistics prefix of probes, as in OSM.
const probesStatPrefix = "health_probes_http"

// probes are the listeners that the kubelet's probes reach and the clusters behind them.
func probes(c Config) ([]*listenerv3.Listener, []*clusterv3.Cluster) {
	all := slices.Clone(c.Probes)
	slices.SortFunc(all, func(a, b Probe) int {
		return cmp.Or(cmp.Compare(a.ListenPort, b.ListenPort), cmp.Compare(a.Container, b.Container))
	})
	var listeners []*listenerv3.Listener
	var clusters []*clusterv3.Cluster
	for len(all) > 0 {
		end := 1
		for end < len(all) && all[end].ListenPort == all[0].ListenPort {
			end++
		}
		shared := all[:end]
		listeners = append(listeners, probeListener(c, shared))
		clusters = append(clusters, lists.Map(shared, func(p Probe) *clusterv3.Cluster { return probeCluster(p, len(shared) == 1) })...)
		all = all[end:]
	}
	return listeners, clusters
}

// probeListener answers the probes that share a port.
func probeListener(c Config, shared []Probe) *listenerv3.Listener {
	first := shared[0]
	if first.Kind.isHook() {
		return hookListener(c, shared)
	}
	name := string(first.Kind) + "_listener"
	if first.ListenPort != first.Kind.ListenPort() {
		name = fmt.Sprintf("%s_%d", name, first.ListenPort)
	}
	single := len(shared) == 1
	var routes []*routev3.Route
	var checks []*hcmv3.HttpFilter
	for _, p := range shared {
		if p.Handler == GRPC {
			routes = append(routes, pathRoute(http.MethodPost, healthCheck, clusterNameOf(p, single), healthCheck, p.timeout()))
			continue
		}
		for _, path := range probePaths(p, single) {
			if p.Handler == TCP {
				checks = append(checks, healthCheckFilter(path, clusterNameOf(p, single)))
			} else {
				routes = append(routes, pathRoute(http.MethodGet, path, clusterNameOf(p, single), p.Path, p.timeout()))
			}
		}
	}
	return podListener(c, name, first.ListenPort, httpConnectionManagerFilter(probesStatPrefix, routes, checks...))
}

// probePaths are the paths of a probe: one with its container's name, and OSM's path when it is the only probe of its
// kind.
func probePaths(p Probe, single bool) []string {
	paths := []string{p.Kind.ContainerPath(p.Container)}
	if single {
		paths = append(paths, p.Kind.Path())
	}
	return paths
}

// healthCheckFilter answers a path with the health of a cluster.
func healthCheckFilter(path, cluster string) *hcmv3.HttpFilter {
	return message.HTTPFilter("http_health_check", &healthcheckv3.HealthCheck{
		PassThroughMode:              wrapperspb.Bool(false),
		ClusterMinHealthyPercentages: map[string]*typev3.Percent{cluster: {Value: 100}},
		Headers:                      []*routev3.HeaderMatcher{exactHeader(":path", path)},
	})
}

// probeClusterName is OSM's name of a kind's cluster, followed by the container where there are several.
func probeClusterName(kind ProbeKind, container string) string {
	name := string(kind) + "_cluster"
	if container == "" {
		return name
	}
	return name + "/" + container
}

func clusterNameOf(p Probe, single bool) string {
	if single && p.ListenPort == p.Kind.ListenPort() {
		return probeClusterName(p.Kind, "")
	}
	return probeClusterName(p.Kind, p.Container)
}

// probeCluster is the probed port of the application.
func probeCluster(p Probe, single bool) *clusterv3.Cluster {
	cluster := localCluster(clusterNameOf(p, single), p.Port)
	switch p.Handler {
	case HTTPS:
		cluster.TransportSocket = unverifiedTLS()
	case GRPC:
		cluster.TypedExtensionProtocolOptions = map[string]*anypb.Any{message.HTTPProtocolOptions: message.Any(http2(&corev3.Http2ProtocolOptions{}))}
	case TCP:
		addTCPHealthCheck(cluster, p)
	}
	return cluster
}

// unverifiedTLS is TLS without verification of the server's certificate.
func unverifiedTLS() *corev3.TransportSocket {
	return message.TransportSocket("tls", &tlsv3.UpstreamTlsContext{
		CommonTlsContext: &tlsv3.CommonTlsContext{TlsParams: &tlsv3.TlsParameters{
			TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2, TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
		}},
	})
}

// addTCPHealthCheck marks the cluster healthy while its port accepts connections.
func addTCPHealthCheck(cluster *clusterv3.Cluster, p Probe) {
	interval := durationpb.New(p.checkInterval())
	// A closed port is retried every second, so that the pod becomes ready soon after its application.
	retryInterval := durationpb.New(localTimeout)
	cluster.HealthChecks = []*corev3.HealthCheck{{
		HealthChecker:            &corev3.HealthCheck_TcpHealthCheck_{TcpHealthCheck: &corev3.HealthCheck_TcpHealthCheck{}},
		Timeout:                  durationpb.New(p.timeout()),
		Interval:                 interval,
		NoTrafficInterval:        retryInterval,
		NoTrafficHealthyInterval: interval,
		UnhealthyInterval:        retryInterval,
		UnhealthyThreshold:       wrapperspb.UInt32(1),
		HealthyThreshold:         wrapperspb.UInt32(1),
	}}
	// Disables panic mode, in which Envoy treats all endpoints of an unhealthy cluster as healthy.
	cluster.CommonLbConfig = &clusterv3.Cluster_CommonLbConfig{HealthyPanicThreshold: &typev3.Percent{Value: 0}}
}

// hookListenerName is the name of the listener for all hooks of a pod.
const hookListenerName = "hook_listener"

// failedHookLocation is the redirect location when the application does not answer a hook. The kubelet treats every
// status as success, but fails on a location that it cannot parse and puts this text into its Event.
const failedHookLocation = "://the application does not answer"

// hookListener forwards the kubelet's hooks to the application without a timeout.
func hookListener(c Config, shared []Probe) *listenerv3.Listener {
	var routes []*routev3.Route
	for _, p := range shared {
		route := pathRoute(http.MethodGet, p.Kind.HookPath(c.ProxyUUID, p.Container), clusterNameOf(p, false), p.Path, 0)
		route.GetRoute().IdleTimeout = durationpb.New(0)
		routes = append(routes, route)
	}
	manager := connectionManager(probesStatPrefix, routes)
	manager.LocalReplyConfig = &hcmv3.LocalReplyConfig{Mappers: []*hcmv3.ResponseMapper{{
		Filter: &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
			// The connection failed, was closed, or had no healthy endpoint.
			ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: []string{"UF", "UC", "UH"}},
		}},
		StatusCode:   wrapperspb.UInt32(307),
		HeadersToAdd: []*corev3.HeaderValueOption{message.SetHeader("location", failedHookLocation)},
	}}}
	return podListener(c, hookListenerName, shared[0].ListenPort, message.NetworkFilter("http_connection_manager", manager))
}
