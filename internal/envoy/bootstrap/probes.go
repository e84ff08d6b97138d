package bootstrap

import (
	"cmp"
	"fmt"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	healthcheckv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/health_check/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Statistics prefixes of probes, as in OSM.
const (
	probesStatPrefix      = "health_probes_http"
	passthroughStatPrefix = "health_probes"
)

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
		for _, p := range shared {
			clusters = append(clusters, probeCluster(p, len(shared) == 1))
		}
		all = all[end:]
	}
	return listeners, clusters
}

// probeListener answers the probes that share a port.
func probeListener(c Config, shared []Probe) *listenerv3.Listener {
	first := shared[0]
	if first.Kind.hook() {
		return hookListener(c, shared)
	}
	name := string(first.Kind) + "_listener"
	if first.ListenPort != first.Kind.ListenPort() {
		name = fmt.Sprintf("%s_%d", name, first.ListenPort)
	}
	single := len(shared) == 1
	if first.Handler == Passthrough {
		return podListener(c, name, first.ListenPort, networkFilter("tcp_proxy", &tcpproxyv3.TcpProxy{
			StatPrefix:       passthroughStatPrefix,
			ClusterSpecifier: &tcpproxyv3.TcpProxy_Cluster{Cluster: clusterOf(first, single)},
		}))
	}
	var routes []*routev3.Route
	var checks []*hcmv3.HttpFilter
	for _, p := range shared {
		if p.Handler == GRPC {
			routes = append(routes, pathRoute(healthCheck, clusterOf(p, single), healthCheck, p.timeout()))
			continue
		}
		for _, path := range probePaths(p, single) {
			if p.Handler == TCP {
				checks = append(checks, healthCheckFilter(path, clusterOf(p, single)))
			} else {
				routes = append(routes, pathRoute(path, clusterOf(p, single), p.Path, p.timeout()))
			}
		}
	}
	return podListener(c, name, first.ListenPort, httpFilters(probesStatPrefix, routes, checks...))
}

// probePaths are where a probe is answered: under its container's name, and under OSM's name when it is the only one.
func probePaths(p Probe, single bool) []string {
	paths := []string{p.Kind.ContainerPath(p.Container)}
	if single {
		paths = append(paths, p.Kind.Path())
	}
	return paths
}

// healthCheckFilter answers a path with what Envoy knows about the health of a cluster.
func healthCheckFilter(path, cluster string) *hcmv3.HttpFilter {
	exact := &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: path}}
	return httpFilter("http_health_check", pack(&healthcheckv3.HealthCheck{
		PassThroughMode:              wrapperspb.Bool(false),
		ClusterMinHealthyPercentages: map[string]*typev3.Percent{cluster: {Value: 100}},
		Headers: []*routev3.HeaderMatcher{{
			Name: ":path", HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: exact},
		}},
	}))
}

// probeClusterName is OSM's name of a kind's cluster, followed by the container where there are several.
func probeClusterName(kind ProbeKind, container string) string {
	name := string(kind) + "_cluster"
	if container == "" {
		return name
	}
	return name + "/" + container
}

func clusterOf(p Probe, single bool) string {
	if single && p.ListenPort == p.Kind.ListenPort() {
		return probeClusterName(p.Kind, "")
	}
	return probeClusterName(p.Kind, p.Container)
}

// probeCluster is the probed port of the application.
func probeCluster(p Probe, single bool) *clusterv3.Cluster {
	cluster := localCluster(clusterOf(p, single), p.Port)
	switch p.Handler {
	case HTTPS:
		cluster.TransportSocket = anyServer()
	case GRPC:
		cluster.TypedExtensionProtocolOptions = map[string]*anypb.Any{httpOptions: pack(http2(&corev3.Http2ProtocolOptions{}))}
	case TCP:
		checkConnections(cluster, p)
	}
	return cluster
}

// anyServer is TLS to a server whose certificate nobody verifies.
func anyServer() *corev3.TransportSocket {
	return &corev3.TransportSocket{Name: "tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(&tlsv3.UpstreamTlsContext{
		CommonTlsContext: &tlsv3.CommonTlsContext{TlsParams: &tlsv3.TlsParameters{
			TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2, TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
		}},
	})}}
}

// checkConnections makes the health of a cluster that of its port.
func checkConnections(cluster *clusterv3.Cluster, p Probe) {
	interval := durationpb.New(p.checkInterval())
	// While the port is closed it is tried every second: a pod shall be ready soon after its application is.
	soon := durationpb.New(localTimeout)
	cluster.HealthChecks = []*corev3.HealthCheck{{
		HealthChecker:            &corev3.HealthCheck_TcpHealthCheck_{TcpHealthCheck: &corev3.HealthCheck_TcpHealthCheck{}},
		Timeout:                  durationpb.New(p.timeout()),
		Interval:                 interval,
		NoTrafficInterval:        soon,
		NoTrafficHealthyInterval: interval,
		UnhealthyInterval:        soon,
		UnhealthyThreshold:       wrapperspb.UInt32(1),
		HealthyThreshold:         wrapperspb.UInt32(1),
	}}
	// Without this Envoy takes an unhealthy cluster for a healthy one as soon as too much of it is unhealthy.
	cluster.CommonLbConfig = &clusterv3.Cluster_CommonLbConfig{HealthyPanicThreshold: &typev3.Percent{Value: 0}}
}
