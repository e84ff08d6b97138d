package v1alpha1

import corev1 "k8s.io/api/core/v1"

// TrafficMetricsMode is whether the operator serves SMI's TrafficMetrics of a mesh.
// +kubebuilder:validation:Enum=Disabled;Managed
type TrafficMetricsMode string

// The modes.
const (
	// TrafficMetricsDisabled does not serve the API. It is the default.
	TrafficMetricsDisabled TrafficMetricsMode = "Disabled"
	// TrafficMetricsManaged serves it from the namespace of the mesh.
	TrafficMetricsManaged TrafficMetricsMode = "Managed"
)

// TrafficMetricsComponent configures SMI's API metrics.smi-spec.io/v1alpha1, which has the rates and latencies of the mesh. A cluster has
// it once, so only one Mesh can serve it.
// +kubebuilder:validation:XValidation:rule="has(self.managed) ? (has(self.mode) && self.mode == 'Managed') : true",message="spec.observability.trafficMetrics.managed has no effect: set mode to Managed, or remove it"
type TrafficMetricsComponent struct {
	// mode is Disabled or Managed. Managed runs a server in the namespace of the mesh, and registers it in the API server while it
	// is ready. Default: Disabled.
	// +optional
	Mode *TrafficMetricsMode `json:"mode,omitempty"`

	// managed configures the server of mode Managed.
	// +optional
	Managed *ManagedTrafficMetrics `json:"managed,omitempty"`
}

// ManagedTrafficMetrics configures a server of TrafficMetrics that the operator runs.
type ManagedTrafficMetrics struct {
	// image is the image of the server. Default: openservicemesh/osm-traffic-metrics in the version of the operator.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Image *string `json:"image,omitempty"`

	// resources are the compute resources of the server. Default: requests of 10m CPU and 64Mi memory, and a limit of 256Mi memory.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// SchedulingSpec configures where the pod runs.
	SchedulingSpec `json:",inline"`

	// OverlaySpec configures the pod where no field does.
	OverlaySpec `json:",inline"`
}
