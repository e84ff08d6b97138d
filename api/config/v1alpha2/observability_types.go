package v1alpha2

// ObservabilitySpec is about logs, traces and the debug server.
type ObservabilitySpec struct {
	// osmLogLevel is the log level of the control plane: trace, debug, info, warn, error, fatal, panic or disabled.
	// Acts at once. Default: info, also for a word that is none of these.
	// +optional
	OSMLogLevel string `json:"osmLogLevel,omitempty"`

	// enableDebugServer serves the debug pages of the controller. Default: false.
	// +optional
	EnableDebugServer bool `json:"enableDebugServer,omitempty"`

	// tracing says where sidecars send traces.
	// +optional
	Tracing TracingSpec `json:"tracing,omitzero"`
}

// TracingSpec names a server that receives traces as Zipkin JSON over HTTP.
type TracingSpec struct {
	// enable switches tracing on. Default: false.
	// +optional
	Enable bool `json:"enable,omitempty"`

	// address is the host name of the server. Default: jaeger.<namespace of the mesh>.svc.cluster.local.
	// +optional
	Address string `json:"address,omitempty"`

	// port is the port of the server. Default: 9411.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int `json:"port,omitempty"`

	// endpoint is the path on the server. Default: /api/v2/spans.
	// +optional
	Endpoint string `json:"endpoint,omitempty"`
}

// FeatureFlags switch single features on and off.
type FeatureFlags struct {
	// enableWASMStats adds metrics about requests with the workloads on both sides.
	// +optional
	EnableWASMStats bool `json:"enableWASMStats,omitempty"`

	// enableEgressPolicy makes Egress objects act.
	// +optional
	EnableEgressPolicy bool `json:"enableEgressPolicy,omitempty"`

	// enableSnapshotCacheMode is accepted and has no effect: configuration is always served from a cache.
	// +optional
	EnableSnapshotCacheMode bool `json:"enableSnapshotCacheMode,omitempty"`

	// enableAsyncProxyServiceMapping is accepted and has no effect: the services of a sidecar are always known.
	// +optional
	EnableAsyncProxyServiceMapping bool `json:"enableAsyncProxyServiceMapping,omitempty"`

	// enableIngressBackendPolicy makes IngressBackend objects act.
	// +optional
	EnableIngressBackendPolicy bool `json:"enableIngressBackendPolicy,omitempty"`

	// enableEnvoyActiveHealthChecks makes sidecars check the health of each other.
	// +optional
	EnableEnvoyActiveHealthChecks bool `json:"enableEnvoyActiveHealthChecks,omitempty"`

	// enableRetryPolicy makes Retry objects act.
	// +optional
	EnableRetryPolicy bool `json:"enableRetryPolicy,omitempty"`

	// enableMulticlusterMode is accepted and has no effect.
	// +optional
	EnableMulticlusterMode bool `json:"enableMulticlusterMode,omitempty"`
}
