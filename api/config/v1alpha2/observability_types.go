package v1alpha2

// ObservabilitySpec configures logs, traces and the debug server.
type ObservabilitySpec struct {
	// osmLogLevel is the log level of the control plane: trace, debug, info, warn, error, fatal, panic or disabled.
	// Changes take effect immediately. Default: info, also for unknown values.
	// +optional
	OSMLogLevel string `json:"osmLogLevel,omitempty"`

	// enableDebugServer enables the debug server of the controller. Default: false.
	// +optional
	EnableDebugServer bool `json:"enableDebugServer,omitempty"`

	// accessLog configures which requests sidecars log.
	// +optional
	AccessLog AccessLogSpec `json:"accessLog,omitzero"`

	// tracing configures where sidecars send traces.
	// +optional
	Tracing TracingSpec `json:"tracing,omitzero"`
}

// AccessLogSpec configures the access log of sidecars and gateways.
type AccessLogSpec struct {
	// samplingPercentage is the percentage of requests that have a line in the access log, from 0 to 100. Requests that fail or take a second or more always
	// have one, and so have TCP connections. The x-request-id of a request decides, so all sidecars on its way log it, or none. A Telemetry
	// with a filter decides by the filter instead. Default: 100, as in OSM.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,3}([.][0-9]+)?$') && double(self) <= 100.0",messageExpression="'spec.observability.accessLog.samplingPercentage \"' + self + '\" is not a percentage: write a number from 0 to 100, for example \"10\"'"
	SamplingPercentage string `json:"samplingPercentage,omitempty"`
}

// TracingProtocol is how sidecars send traces.
// +kubebuilder:validation:Enum=Zipkin;OTLP
type TracingProtocol string

// The protocols.
const (
	// TracingZipkin is the JSON of Zipkin over HTTP. It is the default.
	TracingZipkin TracingProtocol = "Zipkin"
	// TracingOTLP is the protocol of OpenTelemetry over gRPC.
	TracingOTLP TracingProtocol = "OTLP"
)

// TracingSpec configures the server that receives traces.
// +kubebuilder:validation:XValidation:rule="!(has(self.endpoint) && has(self.protocol) && self.protocol == 'OTLP')",message="spec.observability.tracing.endpoint is a path of the protocol Zipkin: remove it, and set port to that of OTLP over gRPC, usually 4317"
type TracingSpec struct {
	// enable enables tracing. Default: false.
	// +optional
	Enable bool `json:"enable,omitempty"`

	// address is the host name of the server. Default: jaeger.<namespace of the mesh>.svc.cluster.local.
	// +optional
	Address string `json:"address,omitempty"`

	// protocol is Zipkin, the JSON of Zipkin over HTTP, or OTLP, the protocol of OpenTelemetry over gRPC. Default: Zipkin.
	// +optional
	Protocol TracingProtocol `json:"protocol,omitempty"`

	// port is the port of the server. Default: 9411, with the protocol OTLP 4317.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int `json:"port,omitempty"`

	// endpoint is the URL path on the server, with the protocol Zipkin. Default: /api/v2/spans.
	// +optional
	Endpoint string `json:"endpoint,omitempty"`

	// samplingPercentage is the percentage of new traces that are sent, from 0 to 100. A request that belongs to a trace follows the
	// decision of its caller. Default: 100.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,3}([.][0-9]+)?$') && double(self) <= 100.0",messageExpression="'spec.observability.tracing.samplingPercentage \"' + self + '\" is not a percentage: write a number from 0 to 100, for example \"0.5\"'"
	SamplingPercentage string `json:"samplingPercentage,omitempty"`
}

// FeatureFlags enable and disable individual features.
type FeatureFlags struct {
	// enableWASMStats enables request metrics that are labeled with the source and destination workloads.
	// +optional
	EnableWASMStats bool `json:"enableWASMStats,omitempty"`

	// enableEgressPolicy enables Egress objects.
	// +optional
	EnableEgressPolicy bool `json:"enableEgressPolicy,omitempty"`

	// enableSnapshotCacheMode is accepted and has no effect. Configuration is always served from a cache.
	// +optional
	EnableSnapshotCacheMode bool `json:"enableSnapshotCacheMode,omitempty"`

	// enableAsyncProxyServiceMapping is accepted and has no effect. The services of a sidecar are always known.
	// +optional
	EnableAsyncProxyServiceMapping bool `json:"enableAsyncProxyServiceMapping,omitempty"`

	// enableIngressBackendPolicy enables IngressBackend objects.
	// +optional
	EnableIngressBackendPolicy bool `json:"enableIngressBackendPolicy,omitempty"`

	// enableEnvoyActiveHealthChecks enables active health checks between sidecars.
	// +optional
	EnableEnvoyActiveHealthChecks bool `json:"enableEnvoyActiveHealthChecks,omitempty"`

	// enableRetryPolicy enables Retry objects.
	// +optional
	EnableRetryPolicy bool `json:"enableRetryPolicy,omitempty"`

	// enableMulticlusterMode is accepted and has no effect.
	// +optional
	EnableMulticlusterMode bool `json:"enableMulticlusterMode,omitempty"`
}
