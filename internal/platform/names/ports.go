package names

// Ports of the control plane.
const (
	// ADSPort serves xDS over gRPC with TLS.
	ADSPort = 15128
	// HealthPort serves health, metrics and version over plain HTTP.
	HealthPort = 9091
	// DebugPort serves the debug endpoints when MeshConfig enables them.
	DebugPort = 9092
	// ValidatorPort serves the validating webhook over HTTPS.
	ValidatorPort = 9093
	// ReportPort serves the state of connected sidecars over HTTPS.
	ReportPort = 9094
	// InjectorPort serves the mutating webhook over HTTPS.
	InjectorPort = 9090
)

// Ports of the sidecar, all inside the pod.
const (
	// AdminPort is Envoy's admin interface on 127.0.0.1.
	AdminPort = 15000
	// OutboundPort accepts redirected connections that leave the pod.
	OutboundPort = 15001
	// InboundPort accepts redirected connections to the pod.
	InboundPort = 15003
	// PrometheusPort serves the sidecar's metrics.
	PrometheusPort = 15010
	// LivenessPort, ReadinessPort and StartupPort answer the kubelet's rewritten probes.
	LivenessPort  = 15901
	ReadinessPort = 15902
	StartupPort   = 15903
	// ReadyPort answers /ready for the sidecar's own startup probe, once it has accepted its first configuration.
	ReadyPort = 15905

	// ProxyUID is the user ID of Envoy. Its traffic is not redirected, so applications must not use it.
	ProxyUID = 1500
)

// EgressGatewayPort accepts connections of sidecars in the pods of the egress gateway. Its Service has the same port.
const EgressGatewayPort = 15443

// LastProbePort is the last port of the sidecar for probes and hooks. LivenessPort is the first.
const LastProbePort = 15940

// IsReservedPort reports whether a port belongs to the sidecar, such as its admin interface. No Service may publish it.
func IsReservedPort(port uint16) bool {
	switch port {
	case AdminPort, OutboundPort, InboundPort, PrometheusPort:
		return true
	}
	return port >= LivenessPort && port <= LastProbePort
}

// Environment variables of the sidecar. Labels of its metrics have these values.
const (
	PodNamespaceEnv = "POD_NAMESPACE"
	WorkloadKindEnv = "OSM_WORKLOAD_KIND"
	WorkloadNameEnv = "OSM_WORKLOAD_NAME"
	// ResourceAttributesEnv describes the sidecar in its traces, as OpenTelemetry specifies.
	ResourceAttributesEnv = "OTEL_RESOURCE_ATTRIBUTES"
)

// Containers, volumes and paths that injection adds to a pod.
const (
	// SidecarContainer is the Envoy sidecar.
	SidecarContainer = "envoy"
	// InitContainer programs the redirection and renders the sidecar's bootstrap.
	InitContainer = "osm-init"
	// UnreadyCluster is the cluster that marks a sidecar as not ready while it exists.
	UnreadyCluster = "unready_cluster"
	// BootstrapVolume is the memory volume that osm-init writes and the sidecar reads.
	BootstrapVolume = "envoy-bootstrap-config-volume"
	// BootstrapDir is where BootstrapVolume is mounted.
	BootstrapDir = "/etc/envoy"
	// TokenVolume holds the projected service account token, mounted by the sidecar only.
	TokenVolume = "osm-token"
	// TokenDir is where TokenVolume is mounted.
	TokenDir = "/var/run/secrets/osm/token"
	// TokenFile is the token's file name in TokenDir.
	TokenFile = "token"
	// TrustVolume is the trust ConfigMap, mounted by the sidecar only.
	TrustVolume = "osm-trust"
	// TrustDir is where TrustVolume is mounted.
	TrustDir = "/var/run/secrets/osm/trust"
)
