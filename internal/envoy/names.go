package envoy

import (
	"fmt"
	"net/netip"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// Names that OSM's users and tools know.
const (
	inboundListener    = "inbound-listener"
	outboundListener   = "outbound-listener"
	prometheusListener = "inbound-prometheus-listener"

	passthroughChain   = "outbound-egress-filter-chain"
	passthroughCluster = "passthrough-outbound"
	metricsCluster     = "envoy-metrics-cluster"

	originalDstFilter  = "original_dst"
	tlsInspectorFilter = "tls_inspector"
	networkRBACFilter  = "l4_rbac"
	hcmFilter          = "http_connection_manager"
	tcpProxyFilter     = "tcp_proxy"
	httpRBACFilter     = "envoy.filters.http.rbac"
	routerFilter       = "http_router"
	healthFilter       = "http_health_check"
	httpLimitFilter    = "envoy.filters.http.local_ratelimit"

	connectionLimitFilter = "l4_local_rate_limit"

	// meshALPN is offered by sidecars to each other; nothing else speaks to the mesh's filter chains.
	meshALPN = "osm"
)

// Names that OSM does not have.
const (
	// closedChain holds no filter: Envoy accepts such a connection and closes it.
	closedChain = "outbound-closed"

	// openPrefix begins the names of chains that let in whoever asks, while the mesh is being taken apart.
	openPrefix = "inbound_open_"

	// healthALPN is offered by sidecars that check the health of a TCP port.
	healthALPN = "osm-health"
)

func inboundChainName(in inboundPort) string {
	return fmt.Sprintf("inbound_%s_%d_%s", in.Service, in.TargetPort, in.Protocol)
}

func inboundRouteName(in inboundPort) string {
	return fmt.Sprintf("rds-inbound.%d|%s", in.TargetPort, in.Service)
}

func inboundRBACName(in inboundPort) string {
	return networkRBACFilter + "|" + inboundChainName(in)
}

func connectionLimitName(in inboundPort) string {
	return connectionLimitFilter + "|" + inboundChainName(in)
}

func healthChainName(in inboundPort) string {
	return fmt.Sprintf("inbound_health_%s_%d", in.Service, in.TargetPort)
}

func localClusterName(service catalog.Name, targetPort uint16) string {
	return scope.ClusterName(service, targetPort) + "|local"
}

// podsClusterName names the cluster through which a client of a headless Service reaches the very pod it addressed.
func podsClusterName(service catalog.Name, podPort uint16) string {
	return scope.ClusterName(service, podPort) + "|pods"
}

func outboundChainName(o scope.Outbound) string {
	return fmt.Sprintf("outbound_%s_%d_%s", o.Service, o.Port, o.Protocol)
}

// outboundListenerName leaves the protocol out: a port whose protocol changes keeps its address, and Envoy would refuse a
// second listener on it.
func outboundListenerName(o scope.Outbound) string {
	return fmt.Sprintf("outbound_%s_%d", o.Service, o.Port)
}

// headlessListenerName says nothing about the Service: an address that another Service takes over is then an update of the
// listener. Under two names, Envoy would refuse the new listener for as long as it has the old one.
func headlessListenerName(pod netip.AddrPort) string { return "outbound_pod|" + pod.String() }

func outboundRouteName(o scope.Outbound) string {
	return fmt.Sprintf("rds-outbound.%d|%s", o.Port, o.Service)
}

// ServiceCertName is the name of the secret with the certificate and key of a workload.
func ServiceCertName(sa identity.ServiceAccount) string { return "service-cert:" + sa.String() }

// InboundTrustName is the name of the secret with which a workload verifies its clients.
func InboundTrustName(sa identity.ServiceAccount) string {
	return "root-cert-for-mtls-inbound:" + sa.String()
}

// inboundTrustName is InboundTrustName, except on TCP ports with rules: there the handshake itself admits only some names,
// and each port has a secret of its own.
func inboundTrustName(sa identity.ServiceAccount, in inboundPort) string {
	if in.Protocol.IsHTTP() || in.Rules.Permissive {
		return InboundTrustName(sa)
	}
	return InboundTrustName(sa) + "|" + scope.ClusterName(in.Service, in.TargetPort)
}

// OutboundTrustName is the name of the secret with which a client verifies the servers behind a Service.
func OutboundTrustName(service catalog.Name) string {
	return "root-cert-for-mtls-outbound:" + service.String()
}
