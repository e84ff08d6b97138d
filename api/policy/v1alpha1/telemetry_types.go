package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Telemetry configures the access log and the metrics of sidecars. In the namespace of the mesh it concerns the pods of all namespaces, elsewhere those of
// its namespace. For each pod the most specific one applies: of the namespace with a selector, of the namespace, of the mesh with a
// selector, of the mesh. Among equals it is the oldest.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=telemetries,singular=telemetry,shortName=telemetry
// +kubebuilder:metadata:labels=app.kubernetes.io/name=openservicemesh.io
// +kubebuilder:printcolumn:name="Accepted",type=string,description="Whether the mesh acts on this object",JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Resolved",type=string,description="Whether the ExtensionService exists",JSONPath=`.status.conditions[?(@.type=="ResolvedRefs")].status`
// +kubebuilder:printcolumn:name="Ready",type=string,description="Whether the object is in force, and all objects that it refers to exist",JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,description="Why the object is not in force, or Ready",JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Telemetry struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec contains the pods and the configuration of their sidecars.
	// +required
	Spec TelemetrySpec `json:"spec"`

	// status reports whether the mesh applies this object. Only the mesh writes it.
	// +optional
	Status SummarizedStatus `json:"status,omitzero"`
}

// TelemetrySpec selects pods and configures their sidecars.
type TelemetrySpec struct {
	// selector selects pods that have all these labels. Default: all pods.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Selector map[string]string `json:"selector,omitempty"`

	// accessLog configures the access log.
	// +optional
	AccessLog *AccessLogSpec `json:"accessLog,omitempty"`

	// metrics selects the metrics of requests and connections that sidecars count: All, WithoutRoutes, or None. Default: All.
	// +optional
	Metrics WorkloadMetrics `json:"metrics,omitempty"`
}

// WorkloadMetrics selects the metrics of workloads that sidecars count. They do not concern the statistics of Envoy, and denied connections always count.
// +kubebuilder:validation:Enum=All;WithoutRoutes;None
type WorkloadMetrics string

const (
	// MetricsAll counts everything.
	MetricsAll WorkloadMetrics = "All"
	// MetricsWithoutRoutes omits what is counted for each route of a server.
	MetricsWithoutRoutes WorkloadMetrics = "WithoutRoutes"
	// MetricsNone omits all metrics of requests and TCP connections.
	MetricsNone WorkloadMetrics = "None"
)

// AccessLogSpec configures an access log.
type AccessLogSpec struct {
	// format is the format of a line, with the command operators of Envoy: a text, or a JSON object of keys and texts.
	// Default: JSON with the keys of Open Service Mesh.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Format string `json:"format,omitempty"`

	// filter is a CEL expression over the attributes of Envoy. Only requests and connections for which it is true are logged, for example
	// response.code >= 400. An expression without a result counts as false, and the expression false turns the log off. Default: everything is logged.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Filter string `json:"filter,omitempty"`

	// openTelemetry exports the log in addition to standard output.
	// +optional
	OpenTelemetry *OpenTelemetrySpec `json:"openTelemetry,omitempty"`
}

// OpenTelemetrySpec is an OpenTelemetry collector and what is added to its records.
type OpenTelemetrySpec struct {
	// extensionService is the collector. It accepts OTLP over gRPC.
	// +required
	ExtensionService ExtensionServiceRef `json:"extensionService"`

	// attributes are added to each record. Values may have command operators.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Attributes map[string]string `json:"attributes,omitempty"`
}

// ExtensionServiceRef refers to an ExtensionService.
type ExtensionServiceRef struct {
	// namespace is that of the policy or of the mesh. Default: that of the policy.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// name is the name of the ExtensionService.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// TelemetryList is a list of Telemetries.
//
// +kubebuilder:object:root=true
type TelemetryList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Telemetry `json:"items"`
}
