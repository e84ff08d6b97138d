package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// UpstreamTrafficSetting bounds the traffic to one Service of its namespace, for all clients: connections, requests, their
// rates and times; and says how clients find endpoints that fail.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=upstreamtrafficsettings,singular=upstreamtrafficsetting,shortName=upstreamtrafficsetting
// +kubebuilder:metadata:labels=app.kubernetes.io/name=openservicemesh.io
// +kubebuilder:printcolumn:name="Host",type=string,JSONPath=`.spec.host`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.currentStatus`
// +kubebuilder:printcolumn:name="Accepted",type=string,description="Whether the mesh acts on this object",JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type UpstreamTrafficSetting struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the setting.
	// +optional
	Spec UpstreamTrafficSettingSpec `json:"spec,omitzero"`

	// status says what the mesh made of this object; only the mesh writes it.
	// +optional
	Status UpstreamTrafficSettingStatus `json:"status,omitzero"`
}

// UpstreamTrafficSettingSpec is a setting. What is absent bounds nothing.
type UpstreamTrafficSettingSpec struct {
	// host is the DNS name of a Service in the namespace of this object: <service>.<namespace>.svc.cluster.local.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host"`

	// connectionSettings bound connections and requests. They act in the sidecar of each client.
	// +optional
	ConnectionSettings *ConnectionSettingsSpec `json:"connectionSettings,omitempty"`

	// rateLimit bounds the rate of connections and requests at each pod of the Service.
	// +optional
	RateLimit *RateLimitSpec `json:"rateLimit,omitempty"`

	// httpRoutes bound the rate of the requests to single routes, in place of rateLimit.
	// +optional
	// +kubebuilder:validation:MaxItems=1024
	HTTPRoutes []HTTPRouteSpec `json:"httpRoutes,omitempty"`

	// outlierDetection makes clients leave out endpoints that fail, for a while.
	// +optional
	OutlierDetection *OutlierDetectionSpec `json:"outlierDetection,omitempty"`

	// healthCheck makes clients ask each endpoint regularly whether it is well.
	// +optional
	HealthCheck *HealthCheckSpec `json:"healthCheck,omitempty"`
}

// UpstreamTrafficSettingStatus says what the mesh made of the setting, for people in the words that Open Service Mesh had for it.
type UpstreamTrafficSettingStatus struct {
	// currentStatus is committed, or error when a part of the object is not in force.
	// +optional
	CurrentStatus string `json:"currentStatus,omitempty"`

	// reason says why.
	// +optional
	Reason string `json:"reason,omitempty"`

	PolicyStatus `json:",inline"`
}

// OutlierDetectionSpec says when an endpoint is left out, and for how long.
type OutlierDetectionSpec struct {
	// consecutiveErrors is how many failures in a row, answers of 5xx or failed connections, throw an endpoint out. Default: 5.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	ConsecutiveErrors *int64 `json:"consecutiveErrors,omitempty"`

	// interval is how often endpoints are let back. Default: 10s.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.outlierDetection.interval \"' + self + '\" is not a duration: write a number with a unit, for example 10s'"
	Interval string `json:"interval,omitempty"`

	// baseEjectionTime is how long an endpoint is out the first time; each further time it is that much longer. Default: 30s.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.outlierDetection.baseEjectionTime \"' + self + '\" is not a duration: write a number with a unit, for example 30s'"
	BaseEjectionTime string `json:"baseEjectionTime,omitempty"`

	// maxEjectionPercent is how much of the endpoints may be out at one time, in percent. Default: 10.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MaxEjectionPercent *int64 `json:"maxEjectionPercent,omitempty"`
}

// HealthCheckSpec is how endpoints are asked whether they are well.
type HealthCheckSpec struct {
	// interval is how often. Default: 10s.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.healthCheck.interval \"' + self + '\" is not a duration: write a number with a unit, for example 10s'"
	Interval string `json:"interval,omitempty"`

	// timeout is how long an answer may take. Default: 1s.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.healthCheck.timeout \"' + self + '\" is not a duration: write a number with a unit, for example 1s'"
	Timeout string `json:"timeout,omitempty"`

	// unhealthyThreshold is how many failures in a row put an endpoint out. Default: 3.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	UnhealthyThreshold *int64 `json:"unhealthyThreshold,omitempty"`

	// healthyThreshold is how many good answers in a row bring it back. Default: 1.
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
