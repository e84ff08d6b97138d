package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// UpstreamTrafficSetting limits the traffic of all clients to one Service in its namespace: connections, requests, rates and
// timeouts. It also configures outlier detection and health checks.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=upstreamtrafficsettings,singular=upstreamtrafficsetting,shortName=upstreamtrafficsetting;uts
// +kubebuilder:metadata:labels=app.kubernetes.io/name=openservicemesh.io
// +kubebuilder:printcolumn:name="Host",type=string,JSONPath=`.spec.host`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.currentStatus`
// +kubebuilder:printcolumn:name="Accepted",type=string,description="Whether the mesh acts on this object",JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Ready",type=string,description="Whether the object is in force, and all objects that it refers to exist",JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,description="Why the object is not in force, or Ready",JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type UpstreamTrafficSetting struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec contains the limits.
	// +optional
	Spec UpstreamTrafficSettingSpec `json:"spec,omitzero"`

	// status reports what the mesh does not apply of this object. It is empty if the whole object takes effect, so that clients can write back
	// the object that they have read. Only the mesh writes it.
	// +optional
	Status SummarizedStatus `json:"status,omitzero"`
}

// UpstreamTrafficSettingSpec defines the limits for one Service. Absent fields mean no limit.
type UpstreamTrafficSettingSpec struct {
	// host is the DNS name of a Service in the namespace of this object: <service>.<namespace>.svc.cluster.local.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host"`

	// connectionSettings limits connections and requests. The sidecar of each client enforces it.
	// +optional
	ConnectionSettings *ConnectionSettingsSpec `json:"connectionSettings,omitempty"`

	// rateLimit limits the rate of connections and requests at each pod of the Service.
	// +optional
	RateLimit *RateLimitSpec `json:"rateLimit,omitempty"`

	// httpRoutes limits the request rate of individual routes. It applies instead of rateLimit.
	// +optional
	// +kubebuilder:validation:MaxItems=1024
	HTTPRoutes []HTTPRouteSpec `json:"httpRoutes,omitempty"`

	// outlierDetection configures clients to eject failing endpoints temporarily.
	// +optional
	OutlierDetection *OutlierDetectionSpec `json:"outlierDetection,omitempty"`

	// healthCheck configures active health checks of each endpoint by the clients.
	// +optional
	HealthCheck *HealthCheckSpec `json:"healthCheck,omitempty"`
}

// OutlierDetectionSpec configures when an endpoint is ejected, and for how long.
type OutlierDetectionSpec struct {
	// consecutiveErrors is the number of consecutive failures that ejects an endpoint. Failures are 5xx responses and failed
	// connections. Default: 5.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	ConsecutiveErrors *int64 `json:"consecutiveErrors,omitempty"`

	// interval is the interval at which ejected endpoints are checked for their return. Default: 10s.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.outlierDetection.interval \"' + self + '\" is not a duration: write a number with a unit, for example 10s'"
	Interval string `json:"interval,omitempty"`

	// baseEjectionTime is the duration of the first ejection. The duration of further ejections is this value multiplied by the
	// number of ejections. Default: 30s.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.outlierDetection.baseEjectionTime \"' + self + '\" is not a duration: write a number with a unit, for example 30s'"
	BaseEjectionTime string `json:"baseEjectionTime,omitempty"`

	// maxEjectionPercent is the maximum percentage of endpoints that are ejected at the same time. Default: 10.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MaxEjectionPercent *int64 `json:"maxEjectionPercent,omitempty"`
}

// HealthCheckSpec configures active health checks of endpoints.
type HealthCheckSpec struct {
	// interval is the interval between health checks. Default: 10s.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.healthCheck.interval \"' + self + '\" is not a duration: write a number with a unit, for example 10s'"
	Interval string `json:"interval,omitempty"`

	// timeout is the timeout of a health check. Default: 1s.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.healthCheck.timeout \"' + self + '\" is not a duration: write a number with a unit, for example 1s'"
	Timeout string `json:"timeout,omitempty"`

	// unhealthyThreshold is the number of consecutive failures after which an endpoint is unhealthy. Default: 3.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	UnhealthyThreshold *int64 `json:"unhealthyThreshold,omitempty"`

	// healthyThreshold is the number of consecutive successes after which an endpoint is healthy. Default: 1.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	HealthyThreshold *int64 `json:"healthyThreshold,omitempty"`
}

// UpstreamTrafficSettingList is a list of UpstreamTrafficSettings.
//
// +kubebuilder:object:root=true
type UpstreamTrafficSettingList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []UpstreamTrafficSetting `json:"items"`
}
