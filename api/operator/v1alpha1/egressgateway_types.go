package v1alpha1

import corev1 "k8s.io/api/core/v1"

// EgressGatewayMode is whether the operator runs an egress gateway for a mesh.
// +kubebuilder:validation:Enum=Disabled;Managed
type EgressGatewayMode string

// The modes.
const (
	// EgressGatewayDisabled has no egress gateway. It is the default.
	EgressGatewayDisabled EgressGatewayMode = "Disabled"
	// EgressGatewayManaged runs one in the namespace of the mesh.
	EgressGatewayManaged EgressGatewayMode = "Managed"
)

// EgressGatewaySpec configures the egress gateway of a mesh. Egresses choose it with spec.gateway.
// +kubebuilder:validation:XValidation:rule="(has(self.replicas) || has(self.nodeSelector) || has(self.resources)) ? (has(self.mode) && self.mode == 'Managed') : true",message="spec.egressGateway has no effect: set mode to Managed, or remove its other fields"
type EgressGatewaySpec struct {
	// mode is Disabled or Managed. Managed runs Envoy in the namespace of the mesh. Default: Disabled.
	// +optional
	Mode *EgressGatewayMode `json:"mode,omitempty"`

	// replicas is the number of pods. Default: 2.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Replicas *int32 `json:"replicas,omitempty"`

	// GatewaySchedulingSpec configures where the pods run. Servers outside the cluster see the addresses of these nodes, or of the pods.
	GatewaySchedulingSpec `json:",inline"`

	// resources are the compute resources of each pod's Envoy. Default: requests of 100m CPU and 128Mi memory, a limit of 512Mi memory.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
}
