package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// ObservabilitySpec configures what shows the state of the mesh. Traffic, pushes and certificates do not depend on it.
// +kubebuilder:validation:XValidation:rule="(has(self.grafana) && has(self.grafana.mode) && self.grafana.mode == 'Managed') ? (has(self.prometheus) && has(self.prometheus.mode) && (self.prometheus.mode == 'Managed' || has(self.prometheus.address))) : true",message="spec.observability.grafana.mode is Managed without a Prometheus: set spec.observability.prometheus.mode to Managed, or to Existing with an address"
// +kubebuilder:validation:XValidation:rule="(has(self.trafficMetrics) && has(self.trafficMetrics.mode) && self.trafficMetrics.mode == 'Managed') ? (has(self.prometheus) && has(self.prometheus.mode) && (self.prometheus.mode == 'Managed' || has(self.prometheus.address))) : true",message="spec.observability.trafficMetrics.mode is Managed without a Prometheus: set spec.observability.prometheus.mode to Managed, or to Existing with an address"
type ObservabilitySpec struct {
	// prometheus configures the Prometheus server of the mesh.
	// +optional
	Prometheus *PrometheusComponent `json:"prometheus,omitempty"`

	// grafana configures where the dashboards of the mesh are.
	// +optional
	Grafana *GrafanaComponent `json:"grafana,omitempty"`

	// jaeger configures the Jaeger of the mesh.
	// +optional
	Jaeger *JaegerComponent `json:"jaeger,omitempty"`

	// accessLog configures which requests sidecars log.
	// +optional
	AccessLog *AccessLogSpec `json:"accessLog,omitempty"`

	// tracing configures the traces of requests that sidecars send.
	// +optional
	Tracing *TracingSpec `json:"tracing,omitempty"`

	// trafficMetrics configures SMI's API of traffic metrics.
	// +optional
	TrafficMetrics *TrafficMetricsComponent `json:"trafficMetrics,omitempty"`
}

// AccessLogSpec sets fields of the MeshConfig about the access log. An absent field leaves the MeshConfig as it is.
type AccessLogSpec struct {
	// sampling is the share of requests that have a line in the access log, such as 10%. Requests that fail or take a second or more always have one. Default:
	// the MeshConfig.
	// +optional
	Sampling *Percentage `json:"sampling,omitempty"`
}

// TracingSpec sets fields of the MeshConfig about traces of requests. An absent field leaves the MeshConfig as it is.
type TracingSpec struct {
	// enabled enables tracing. Default: the MeshConfig.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`

	// protocol is Zipkin or OTLP. Default: the MeshConfig.
	// +optional
	// +kubebuilder:validation:Enum=Zipkin;OTLP
	Protocol *string `json:"protocol,omitempty"`

	// sampling is the share of new traces that are sent, such as 0.5%. Default: the MeshConfig.
	// +optional
	Sampling *Percentage `json:"sampling,omitempty"`
}

// PrometheusMode is who runs the Prometheus server of a mesh.
// +kubebuilder:validation:Enum=Disabled;Managed;Operator;Existing
type PrometheusMode string

// The modes.
const (
	// PrometheusDisabled has no Prometheus server. It is the default.
	PrometheusDisabled PrometheusMode = "Disabled"
	// PrometheusManaged runs a server in the namespace of the mesh.
	PrometheusManaged PrometheusMode = "Managed"
	// PrometheusOperator creates monitors and rules for the server of a prometheus-operator.
	PrometheusOperator PrometheusMode = "Operator"
	// PrometheusExisting uses a server that scrapes the mesh already.
	PrometheusExisting PrometheusMode = "Existing"
)

// PrometheusComponent configures the Prometheus server of a mesh.
// +kubebuilder:validation:XValidation:rule="(has(self.mode) && self.mode == 'Existing') ? has(self.address) : true",message="spec.observability.prometheus.mode is Existing without an address: set spec.observability.prometheus.address"
// +kubebuilder:validation:XValidation:rule="(has(self.address) || has(self.caBundle)) ? (has(self.mode) && self.mode in ['Existing', 'Operator']) : true",message="spec.observability.prometheus.address and caBundle are of a server that the operator does not run: set mode to Existing or Operator, or remove them"
// +kubebuilder:validation:XValidation:rule="has(self.managed) ? (has(self.mode) && self.mode == 'Managed') : true",message="spec.observability.prometheus.managed has no effect: set mode to Managed, or remove it"
type PrometheusComponent struct {
	// mode is Disabled, Managed, Operator or Existing. Managed runs a server. Operator creates PodMonitors, a ServiceMonitor and a
	// PrometheusRule for a prometheus-operator. Existing uses the server at address. Default: Disabled.
	// +optional
	Mode *PrometheusMode `json:"mode,omitempty"`

	// address is the base URL of the API of an existing server, such as https://prometheus.monitoring.svc:9090. Gates of upgrades
	// query it if they have no address of their own. If the namespace of the mesh has a Secret osm-prometheus-token, its key token
	// is sent as bearer token to https addresses.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != '' && !self.matches('[@?#]')",messageExpression="'spec.observability.prometheus.address \"' + self + '\" is not the address of a Prometheus server: write an http or https URL without user, query and fragment, for example http://prometheus.monitoring.svc:9090'"
	Address *string `json:"address,omitempty"`

	// caBundle verifies the certificate of an https address. Default: the files that SSL_CERT_FILE or SSL_CERT_DIR of the
	// operator's Deployment name.
	// +optional
	CABundle *CABundle `json:"caBundle,omitempty"`

	// managed configures the server of mode Managed.
	// +optional
	Managed *ManagedPrometheus `json:"managed,omitempty"`
}

// ManagedPrometheus configures a Prometheus server that the operator runs.
type ManagedPrometheus struct {
	// image is the image of Prometheus. Default: quay.io/prometheus/prometheus:v3.15.0.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Image *string `json:"image,omitempty"`

	// retention is how long samples are kept. Default: 360h.
	// +optional
	Retention *Duration `json:"retention,omitempty"`

	// storage is the size of a PersistentVolumeClaim for the samples. It cannot change while the claim exists. Default: none, samples
	// are lost when the pod is replaced.
	// +optional
	Storage *resource.Quantity `json:"storage,omitempty"`

	// storageClassName is the StorageClass of the claim. Default: that of the cluster.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	StorageClassName *string `json:"storageClassName,omitempty"`

	// resources are the compute resources of the server. Default: requests of 100m CPU and 512Mi memory, and a memory limit of 4Gi.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// SchedulingSpec configures where the pod runs.
	SchedulingSpec `json:",inline"`

	// OverlaySpec configures the pod where no field does.
	OverlaySpec `json:",inline"`
}
