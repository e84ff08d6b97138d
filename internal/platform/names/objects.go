package names

import (
	"strconv"
	"strings"
	"time"
)

// Names of the control plane's objects, as in OSM.
const (
	// DefaultMesh is the default name of a mesh.
	DefaultMesh = "osm"
	// DefaultNamespace is the namespace the control plane runs in by default.
	DefaultNamespace = "osm-system"
	// OperatorNamespace is the namespace the operator itself runs in.
	OperatorNamespace = "osm-operator-system"
	// Operator names the operator's Deployment, ServiceAccount and container.
	Operator = "osm-operator"
	// OperatorMetrics names the Service of the operator's metrics, and the Secret with its certificate.
	OperatorMetrics = "osm-operator-metrics"
	// DefaultTrustDomain is the suffix of every workload principal by default.
	DefaultTrustDomain = "cluster.local"
	// DefaultClusterDomain is the DNS domain of most clusters. osm-init replaces it by that of the cluster in the host of the control plane.
	// Elsewhere it is part of names that are never resolved.
	DefaultClusterDomain = "cluster.local"

	// PrometheusTokenSecret has the bearer token for a Prometheus server, in the namespace of the mesh.
	PrometheusTokenSecret = "osm-prometheus-token"
	// Controller names the control plane's Deployment, Service and container.
	Controller = "osm-controller"
	// Injector names the injector's Deployment, Service and container.
	Injector = "osm-injector"
	// IngressGateway names the Deployment, ServiceAccount and Service of the ingress gateway, in the namespace of the mesh.
	IngressGateway = "osm-ingress-gateway"
	// EgressGateway names the Deployment, ServiceAccount and Service of the egress gateway, in the namespace of the mesh.
	EgressGateway = "osm-egress-gateway"
	// PeerGateway names the Deployment, ServiceAccount and Service of the gateway for other meshes, in the namespace of the mesh. PeerLeaving is its Service
	// for connections that leave this mesh.
	PeerGateway = "osm-peer-gateway"
	PeerLeaving = "osm-peer-leaving"
	// GatewayCertificateReader names the ClusterRole that allows a control plane to get the Secrets and ConfigMaps of a namespace by their names.
	GatewayCertificateReader = "osm-gateway-certificate-reader"
	// Validator names the Service of the validating webhook, served by the controller.
	Validator = "osm-validator"
	// MeshConfig is the name of a mesh's MeshConfig object, in the mesh's namespace.
	MeshConfig = "osm-mesh-config"
	// CABundleSecret holds the desired certificate authority: keys CABundleCert and CABundleKey.
	CABundleSecret = "osm-ca-bundle"
	// FirstCABundleSecret and SecondCABundleSecret are the other Secrets that the operator may create, and may read without a further role, for the roots of
	// MeshRootCertificates.
	FirstCABundleSecret  = "osm-ca-bundle-1"
	SecondCABundleSecret = "osm-ca-bundle-2"
	// ActiveCASecret holds the certificate authority that control planes use. Only the operator writes it. During a rotation it differs
	// from the desired one.
	ActiveCASecret = "osm-ca-active"
	// CABundleCert is the key of the root certificate (PEM) in the CA Secret and in the trust ConfigMap.
	CABundleCert = "ca.crt"
	// CABundleKey is the key of the root's private key (PEM) in the CA Secret.
	CABundleKey = "private.key"
	// DelegatedCA names the Certificate of cert-manager for the certificate authority of a mesh, and its Secret.
	DelegatedCA = "osm-ca-cert-manager"
	// VaultCA names the Secret with the certificate authority that a Vault has signed for a mesh.
	VaultCA = "osm-ca-vault"
	// FirstDeclaredCA and SecondDeclaredCA name the Secrets with the authorities that were issued for MeshRootCertificates. At most two of
	// them are in use.
	FirstDeclaredCA  = "osm-ca-root-1"
	SecondDeclaredCA = "osm-ca-root-2"

	// ContourCertSecret and NginxCertSecret are the Secrets in which OSM's documentation keeps the certificate of an ingress gateway.
	ContourCertSecret = "osm-contour-envoy-client-cert"
	NginxCertSecret   = "osm-nginx-client-cert"

	// ReportReader is the ServiceAccount that may read the report API and nothing else. Users request its tokens.
	ReportReader = "osm-report-reader"
	// ReportTokenDir is where a controller has the token for the report API of the other replicas, in the file ReportTokenFile.
	ReportTokenDir = "/var/run/secrets/osm/report"
	// ReportTokenFile is the token's file name in ReportTokenDir.
	ReportTokenFile = "token"

	// InjectorCertSecret holds the certificate of the injector's webhook.
	InjectorCertSecret = "osm-injector-webhook-cert"
	// StatusLease is the Lease of the replica of the control plane that writes the status of policies.
	StatusLease = "osm-controller-status"
	// CanaryCertSecret holds the certificate of the canary's injector. There is at most one canary, so the name is
	// fixed.
	CanaryCertSecret = InjectorCertSecret + "-canary"

	// InjectorWebhook is the name of the webhook inside the MutatingWebhookConfiguration.
	InjectorWebhook = "osm-inject.k8s.io"
	// CanaryWebhook is the name of the canary's webhook, for the namespaces of a canary upgrade.
	CanaryWebhook = "osm-inject-canary.k8s.io"
)

// MutatingWebhook is the name of a mesh's MutatingWebhookConfiguration.
func MutatingWebhook(mesh string) string { return "osm-webhook-" + mesh }

// ValidatingWebhook is the name of a mesh's ValidatingWebhookConfiguration.
func ValidatingWebhook(mesh string) string { return "osm-validator-mesh-" + mesh }

// TrustConfigMap is the name of the ConfigMap, in every namespace of the mesh, with the root certificate that sidecars
// trust for their connection to the control plane.
func TrustConfigMap(mesh string) string { return "osm-trust-" + mesh }

// TokenAudience is the audience of the service account tokens that sidecars of a mesh present to its control plane.
func TokenAudience(mesh, namespace string) string { return mesh + "." + namespace + ".osm" }

// ReportAudience is the audience of tokens for the report API of a mesh.
func ReportAudience(mesh string) string { return "report." + mesh }

// OperatorMetricsAudience is the audience of tokens for the metrics of the operator.
const OperatorMetricsAudience = "metrics.operator.openservicemesh.io"

// ADSCommonName is the DNS name in the control plane's xDS server certificate.
func ADSCommonName(trustDomain string) string { return "ads." + trustDomain }

// ReportCommonName is the DNS name in the certificate of the control plane's report API.
func ReportCommonName(trustDomain string) string { return "report." + trustDomain }

// ServiceHost is the fully qualified DNS name of a Kubernetes Service.
func ServiceHost(name, namespace string) string {
	return name + "." + namespace + ".svc." + DefaultClusterDomain
}

// ClusterSetHost is the DNS name of a Service that is imported from another cluster (Multi-Cluster Services API).
func ClusterSetHost(name, namespace string) string {
	return name + "." + namespace + ".svc.clusterset.local"
}

// GatewayController is the controller name of the GatewayClasses of a mesh.
func GatewayController(mesh string) string { return "gateway.openservicemesh.io/" + mesh }

// WithSuffix is the name of a component of a revision: the name and its suffix. Components of the active revision have
// no suffix.
func WithSuffix(name, suffix string) string {
	if suffix == "" {
		return name
	}
	return name + "-" + suffix
}

// Component returns the component, Controller or Injector, of a pod with this value of AppLabel, for any revision;
// empty for other pods.
func Component(app string) string {
	for _, name := range []string{Controller, Injector} {
		if app == name || strings.HasPrefix(app, name+"-") {
			return name
		}
	}
	return ""
}

// CanarySuffix is the suffix of the object names of a canary revision: the revision name without the mesh name.
func CanarySuffix(mesh, revision string) string { return strings.TrimPrefix(revision, mesh+"-") }

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

	// MaxTap is how far in the future the time of TapUntilAnnotation is at most.
	MaxTap = 10 * time.Minute
	// DrainTime is how long Envoy serves the connections of a listener or filter chain that it replaces.
	DrainTime = 30 * time.Second

	// ProxyUID is the user ID of Envoy. Its traffic is not redirected, so applications must not use it.
	ProxyUID = 1500
)

// GatewayListener is the name of the listener of the ingress gateway for a port of its Service.
func GatewayListener(port uint16) string { return "gateway_" + strconv.Itoa(int(port)) }

// GatewayPodPort returns the port of the pods of an ingress gateway for a port of its Service. Envoy has no privileges, so it cannot use ports below 1024.
func GatewayPodPort(port uint16) uint16 {
	const privileged, offset = 1024, 10000
	if port < privileged {
		return port + offset
	}
	return port
}

// IsEnvoyPort reports whether no listener of a gateway may use a port, because it is among those of Envoy.
func IsEnvoyPort(port uint16) bool {
	const first, last = 15000, 15999
	return port >= first && port <= last
}

// AllowedNamespacesAnnotation of a GatewayClass has the namespaces whose Gateways the ingress gateway serves, separated by commas. Without it, it serves all.
// That of the Service of the egress gateway has the namespaces to whose Services it forwards. Without it, it forwards to no Service.
const AllowedNamespacesAnnotation = "openservicemesh.io/allowed-namespaces"

// EgressGatewayListener is the name of the listener of the egress gateway.
const EgressGatewayListener = "egress-gateway"

// Limits reach osm-init by environment variables: an earlier one ignores them, but rejects unknown fields of its document.
const (
	// MemoryLimitEnv has the memory limit of a sidecar's container in bytes; empty without one.
	MemoryLimitEnv = "MEMORY_LIMIT"
	// GatewayMemoryEnv has the memory limit of Envoy's container in bytes; empty without one.
	GatewayMemoryEnv = "GATEWAY_MEMORY_LIMIT"
	// GatewayListenersEnv has the names of the listeners for clients, separated by commas.
	GatewayListenersEnv = "GATEWAY_LISTENERS"
	// GatewayDrainDelayEnv has the time for which a gateway that stops accepts connections; empty for the default. It reaches the container that drains.
	GatewayDrainDelayEnv = "GATEWAY_DRAIN_DELAY"
)

// EgressGatewayPort accepts connections of sidecars in the pods of the egress gateway. Its Service has the same port.
const EgressGatewayPort = 15443

// Ports of the pods of the peer gateway, and of its Services. PeerGatewayPort accepts connections of other meshes, and PeerLeavingPort those to other meshes.
const (
	PeerGatewayPort = 15443
	PeerLeavingPort = 15444
)

// PeerStateConfigMap is the name of the ConfigMap, in the namespace of the mesh, with what a peer has said.
func PeerStateConfigMap(peer string) string { return "osm-peer-state-" + peer }

// PeerDiscoveryPort is the port of osm-controller for the control planes of peers.
const PeerDiscoveryPort = 15129

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
	// DestinationsEnv with the value DestinationsOnDemand makes the control plane send destinations at their first use. Without it, the sidecar has all of
	// them. The control plane reads it from the pod, where it cannot change as an annotation can: a sidecar that runs would replace all its listeners.
	DestinationsEnv      = "OSM_DESTINATIONS"
	DestinationsOnDemand = "OnDemand"
	// EagerDestinationsEnv has the Services that such a sidecar has from the beginning, NAMESPACE/NAME, separated by commas.
	EagerDestinationsEnv = "OSM_EAGER_DESTINATIONS"
)

// Environment variables of osm-init with the region and the zone of the pod's node; empty where they are unknown.
const (
	PodRegionEnv = "POD_REGION"
	PodZoneEnv   = "POD_ZONE"
)

// Containers, volumes and paths that injection adds to a pod.
const (
	// SidecarContainer is the Envoy sidecar.
	SidecarContainer = "envoy"
	// InitContainer programs the redirection and renders the sidecar's bootstrap.
	InitContainer = "osm-init"
	// UnreadyCluster is the cluster that marks a sidecar as not ready while it exists.
	UnreadyCluster = "unready_cluster"
	// DrainingCluster is the cluster that marks an Envoy as one from which another one of its pod has taken over.
	DrainingCluster = "draining_cluster"
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

// Names of a pod whose sidecar is upgraded in place. It has two slots, each a container that can run Envoy: SidecarContainer and StandbyContainer.
// Exactly one serves.
const (
	// StandbyContainer is the second slot. It has the same image, arguments and user as SidecarContainer.
	StandbyContainer = "envoy-standby"
	// SlotsVolume holds the state of the slots, the sockets between them and their shared memory. No other container mounts it.
	SlotsVolume = "envoy-slots"
	// SlotsDir is where SlotsVolume is mounted, and also SharedMemoryDir, in place of the shared memory of the pod, which the application can write.
	SlotsDir        = "/var/run/osm/slots"
	SharedMemoryDir = "/dev/shm"
	// LauncherVolume holds the launcher, which osm-init copies for the slots: their image needs nothing but Envoy.
	LauncherVolume = "osm-launcher"
	// LauncherDir is where LauncherVolume is mounted.
	LauncherDir = "/var/run/osm/launcher"
	// LauncherFile is the name of the program in LauncherDir, and in the root of the image of osm-init.
	LauncherFile = "osm-launcher"
	// LauncherAdmin is the command of the launcher that asks the Envoy of a slot. Its arguments are the slot, the method and the path. Tools run it
	// in a slot, as only slots have the admin interface of an Envoy that does not serve.
	LauncherAdmin = "admin"
	// LauncherIdle is its exit code for a slot that runs no Envoy.
	LauncherIdle = 3
	// LauncherHold is the command of the launcher that does nothing until it is stopped.
	LauncherHold = "hold"
	// LauncherWait is the command of the launcher that waits until a slot serves.
	LauncherWait = "wait"
	// LauncherSlotFlag is the flag of the launcher with the name of its slot.
	LauncherSlotFlag = "slot"
	// LauncherDrainFlag is the flag of the launcher with the time after which it cuts the connections of an Envoy that drains.
	LauncherDrainFlag = "drain-bound"
	// PullPrefix begins the names of pods that pull images of sidecars.
	PullPrefix = "osm-pull-"
	// WaitContainer is the init container after the slots. It ends once one of them serves, so the application starts with a working network.
	WaitContainer = "osm-wait"
	// SlotMetadata in the metadata of a node is the name of its slot; absent in pods with one sidecar.
	SlotMetadata = "slot"
	// EpochMetadata in the metadata of a node is a number that grows with each Envoy that was started in the pod. The newest one that is ready serves. Others
	// drain.
	EpochMetadata = "epoch"
)

// IsSlot reports whether a container of an injected pod runs Envoy.
func IsSlot(container string) bool {
	return container == SidecarContainer || container == StandbyContainer
}
