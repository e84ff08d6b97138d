package v1alpha1

import corev1 "k8s.io/api/core/v1"

// IngressGatewayMode is whether the operator runs an ingress gateway for a mesh.
// +kubebuilder:validation:Enum=Disabled;Managed
type IngressGatewayMode string

// The modes.
const (
	// IngressGatewayDisabled has no ingress gateway. It is the default.
	IngressGatewayDisabled IngressGatewayMode = "Disabled"
	// IngressGatewayManaged runs one in the namespace of the mesh.
	IngressGatewayManaged IngressGatewayMode = "Managed"
)

// IngressGatewaySpec configures the ingress gateway of a mesh. Gateways and HTTPRoutes of the Gateway API configure what it serves.
// +kubebuilder:validation:XValidation:rule="(has(self.replicas) || has(self.serviceType) || has(self.ports) || has(self.resources)) ? (has(self.mode) && self.mode == 'Managed') : true",message="spec.ingressGateway has no effect: set mode to Managed, or remove its other fields"
type IngressGatewaySpec struct {
	// mode is Disabled or Managed. Managed runs Envoy in the namespace of the mesh, and creates a GatewayClass with the name of the mesh.
	// It needs the definitions of the Gateway API. Default: Disabled.
	// +optional
	Mode *IngressGatewayMode `json:"mode,omitempty"`

	// replicas is the number of pods. Default: 2.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Replicas *int32 `json:"replicas,omitempty"`

	// serviceType is the type of the Service: LoadBalancer, NodePort or ClusterIP. Default: LoadBalancer.
	// +optional
	// +kubebuilder:validation:Enum=LoadBalancer;NodePort;ClusterIP
	ServiceType *corev1.ServiceType `json:"serviceType,omitempty"`

	// ports are those that listeners of Gateways may use. Default: 80 and 443.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	// +kubebuilder:validation:XValidation:rule="self.all(p, p < 15000 || p > 15999)",message="spec.ingressGateway.ports contains a port from 15000 to 15999, which belong to Envoy: use other ports"
	// +kubebuilder:validation:XValidation:rule="self.all(p, p >= 1024 || !((p + 10000) in self))",message="spec.ingressGateway.ports contains a port below 1024 and the one that is 10000 higher, which the pods use for it: remove one of them"
	Ports []int32 `json:"ports,omitempty"`

	// allowedNamespaces are the namespaces whose Gateways the ingress gateway serves. Gateways of other namespaces are not accepted. Default: all namespaces.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	AllowedNamespaces []string `json:"allowedNamespaces,omitempty"`

	// GatewaySchedulingSpec configures where the pods run.
	GatewaySchedulingSpec `json:",inline"`

	// resources are the compute resources of each pod's Envoy. Default: requests of 100m CPU and 128Mi memory, a limit of 512Mi memory.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
}
