package v1alpha2

import corev1 "k8s.io/api/core/v1"

// SidecarSpec configures the Envoy container and the init container of pods.
type SidecarSpec struct {
	// enablePrivilegedInitContainer runs the init container as privileged, for platforms where the NET_ADMIN capability
	// is not sufficient. Applies to new pods. Default: false.
	// +optional
	EnablePrivilegedInitContainer bool `json:"enablePrivilegedInitContainer,omitempty"`

	// logLevel is the log level of Envoy. Applies to new pods. Default: error.
	// +optional
	// +kubebuilder:validation:Enum=trace;debug;info;warning;warn;error;critical;off
	LogLevel string `json:"logLevel,omitempty"`

	// envoyImage is the image of Envoy. Applies to new pods. Default: the Envoy image of the mesh version.
	// +optional
	EnvoyImage string `json:"envoyImage,omitempty"`

	// envoyWindowsImage is the image of Envoy for pods on Windows.
	// +optional
	EnvoyWindowsImage string `json:"envoyWindowsImage,omitempty"`

	// initContainerImage is the image of the init container that redirects traffic. Applies to new pods. Default: the
	// init container image of the mesh version.
	// +optional
	InitContainerImage string `json:"initContainerImage,omitempty"`

	// maxDataPlaneConnections is the maximum number of sidecars for each controller replica. Further connections are
	// rejected. Default: 0, no limit.
	// +optional
	MaxDataPlaneConnections int `json:"maxDataPlaneConnections,omitempty"`

	// sourceAddresses are the addresses from which the control plane accepts the token of a pod: Any, unless another running pod has the address, or
	// Own, those of the pod alone. Own requires a network that never replaces the source address of a pod by an address of its node. It applies to new
	// connections. Default: Any.
	// +optional
	SourceAddresses SourceAddresses `json:"sourceAddresses,omitempty"`

	// configResyncInterval is the interval at which the configuration of every sidecar is recomputed, and pushed if it
	// differs. The minimum is 30s; shorter intervals are ignored. Default: 0s, never.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.sidecar.configResyncInterval \"' + self + '\" is not a duration: write a number with a unit, for example 24h or 90m'"
	ConfigResyncInterval string `json:"configResyncInterval,omitempty"`

	// resources are the compute resources of the Envoy container, and of the init containers of the mesh. Applies to new pods. A resource without a
	// value has the default of a LimitRange of the namespace, or else a request of 10m CPU or 64Mi memory.
	// +optional
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`

	// classes are sidecars of other sizes than that of resources. A pod gets the class that its annotation openservicemesh.io/sidecar-class names, or else
	// that of its namespace. Applies to new pods. Default: none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(b, b.name == a.name))",message="spec.sidecar.classes has two classes of the same name: give each another name"
	Classes []SidecarClass `json:"classes,omitempty"`

	// statistics are Essential or All. Essential keeps the statistics of Envoy that dashboards, alerts and upgrades use.
	// Metrics with labels of workloads do not depend on it. Applies to new pods. Default: Essential.
	// +optional
	Statistics Statistics `json:"statistics,omitempty"`

	// destinations are Eager, OnDemand or Auto. An Eager sidecar has the configuration of all Services that its pod may call. An OnDemand sidecar loads
	// each at the first call, so its memory does not grow with the mesh. Auto selects OnDemand for a new pod if more than 50 Services are in namespaces
	// with permissive mode. OnDemand requires the ServiceCIDRs of Kubernetes 1.33 or newer, and the Envoy image of the mesh version: other sidecars are
	// Eager. The annotation openservicemesh.io/sidecar-destinations of a pod or namespace overrides it. Applies to new pods. Default: Eager.
	// +optional
	Destinations Destinations `json:"destinations,omitempty"`

	// tlsMinProtocolVersion is the minimum TLS version of sidecars. Default: TLSv1_2.
	// +optional
	TLSMinProtocolVersion TLSVersion `json:"tlsMinProtocolVersion,omitempty"`

	// tlsMaxProtocolVersion is the maximum TLS version of sidecars. Default: TLSv1_3.
	// +optional
	TLSMaxProtocolVersion TLSVersion `json:"tlsMaxProtocolVersion,omitempty"`

	// cipherSuites are the cipher suites for TLS 1.2, by their Envoy names. Default: the cipher suites of Envoy.
	// +optional
	CipherSuites []string `json:"cipherSuites,omitempty"`

	// ecdhCurves are the curves for the key exchange, by their Envoy names. Default: the curves of Envoy.
	// +optional
	ECDHCurves []string `json:"ecdhCurves,omitempty"`

	// localProxyMode is the address to which the sidecar sends inbound traffic of its application. Applies to new pods.
	// Default: Localhost.
	// +optional
	LocalProxyMode LocalProxyMode `json:"localProxyMode,omitempty"`
}

// SourceAddresses are the addresses from which a token is accepted.
// +kubebuilder:validation:Enum=Any;Own
type SourceAddresses string

const (
	// SourceAddressesAny accepts a token from each address that belongs to no other running pod.
	SourceAddressesAny SourceAddresses = "Any"
	// SourceAddressesOwn accepts a token from the addresses of its pod only.
	SourceAddressesOwn SourceAddresses = "Own"
)

// TLSVersion is a TLS version by its Envoy name.
// +kubebuilder:validation:Enum=TLS_AUTO;TLSv1_0;TLSv1_1;TLSv1_2;TLSv1_3
type TLSVersion string

// LocalProxyMode is the address to which a sidecar sends inbound traffic of its application.
// +kubebuilder:validation:Enum=Localhost;PodIP
type LocalProxyMode string

const (
	// LocalProxyModeLocalhost sends inbound traffic to the loopback address.
	LocalProxyModeLocalhost LocalProxyMode = "Localhost"
	// LocalProxyModePodIP sends inbound traffic to the IP address of the pod.
	LocalProxyModePodIP LocalProxyMode = "PodIP"
)

// Statistics selects the statistics of Envoy.
// +kubebuilder:validation:Enum=Essential;All
type Statistics string

const (
	// StatisticsEssential keeps what dashboards, alerts and upgrades use.
	StatisticsEssential Statistics = "Essential"
	// StatisticsAll keeps all statistics.
	StatisticsAll Statistics = "All"
)

// Destinations selects when a sidecar loads the configuration of Services.
// +kubebuilder:validation:Enum=Eager;OnDemand;Auto
type Destinations string

const (
	// DestinationsEager loads all Services at once.
	DestinationsEager Destinations = "Eager"
	// DestinationsOnDemand loads each Service at the first call.
	DestinationsOnDemand Destinations = "OnDemand"
	// DestinationsAuto selects one of the others for each new pod, by the number of Services.
	DestinationsAuto Destinations = "Auto"
)
