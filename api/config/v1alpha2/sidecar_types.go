package v1alpha2

import corev1 "k8s.io/api/core/v1"

// SidecarSpec is about the Envoy container and the init container of pods.
type SidecarSpec struct {
	// enablePrivilegedInitContainer runs the init container privileged, for platforms where NET_ADMIN alone is not
	// enough. Acts on new pods. Default: false.
	// +optional
	EnablePrivilegedInitContainer bool `json:"enablePrivilegedInitContainer,omitempty"`

	// logLevel is the log level of Envoy. Acts on new pods. Default: error.
	// +optional
	// +kubebuilder:validation:Enum=trace;debug;info;warning;warn;error;critical;off
	LogLevel string `json:"logLevel,omitempty"`

	// envoyImage is the image of Envoy. Acts on new pods. Default: the image that belongs to the version of the
	// mesh.
	// +optional
	EnvoyImage string `json:"envoyImage,omitempty"`

	// envoyWindowsImage is the image of Envoy for pods on Windows.
	// +optional
	EnvoyWindowsImage string `json:"envoyWindowsImage,omitempty"`

	// initContainerImage is the image of the init container that redirects traffic. Acts on new pods. Default: the
	// image that belongs to the version of the mesh.
	// +optional
	InitContainerImage string `json:"initContainerImage,omitempty"`

	// maxDataPlaneConnections is the number of sidecars that each replica of the controller serves; more are
	// refused. Default: 0, no limit.
	// +optional
	MaxDataPlaneConnections int `json:"maxDataPlaneConnections,omitempty"`

	// configResyncInterval is how often the configuration of every sidecar is built again and sent where it differs. At
	// least 30s; what is shorter is ignored. Default: 0s, never.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.sidecar.configResyncInterval \"' + self + '\" is not a duration: write a number with a unit, for example 24h or 90m'"
	ConfigResyncInterval string `json:"configResyncInterval,omitempty"`

	// resources are the compute resources of the Envoy container. Act on new pods. Default: none.
	// +optional
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`

	// tlsMinProtocolVersion is the oldest TLS version that sidecars speak. Default: TLSv1_2.
	// +optional
	TLSMinProtocolVersion TLSVersion `json:"tlsMinProtocolVersion,omitempty"`

	// tlsMaxProtocolVersion is the newest TLS version that sidecars speak. Default: TLSv1_3.
	// +optional
	TLSMaxProtocolVersion TLSVersion `json:"tlsMaxProtocolVersion,omitempty"`

	// cipherSuites are the cipher suites of TLS 1.2, by Envoy's names. Default: Envoy's.
	// +optional
	CipherSuites []string `json:"cipherSuites,omitempty"`

	// ecdhCurves are the curves for the key exchange, by Envoy's names. Default: Envoy's.
	// +optional
	ECDHCurves []string `json:"ecdhCurves,omitempty"`

	// localProxyMode is the address at which the sidecar reaches its application. Acts on new pods. Default:
	// Localhost.
	// +optional
	LocalProxyMode LocalProxyMode `json:"localProxyMode,omitempty"`
}

// TLSVersion is a version of TLS by Envoy's name.
// +kubebuilder:validation:Enum=TLS_AUTO;TLSv1_0;TLSv1_1;TLSv1_2;TLSv1_3
type TLSVersion string

// LocalProxyMode is the address at which a sidecar reaches its application.
// +kubebuilder:validation:Enum=Localhost;PodIP
type LocalProxyMode string

const (
	// LocalProxyModeLocalhost reaches the application at the loopback address.
	LocalProxyModeLocalhost LocalProxyMode = "Localhost"
	// LocalProxyModePodIP reaches the application at the address of the pod.
	LocalProxyModePodIP LocalProxyMode = "PodIP"
)
