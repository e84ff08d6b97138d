package v1alpha1

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

// GatewayDeployment is which pods serve the Gateways of a mesh.
// +kubebuilder:validation:Enum=Shared;PerGateway
type GatewayDeployment string

// The choices.
const (
	// GatewayDeploymentShared serves all Gateways by the same pods, with one address. It is the default.
	GatewayDeploymentShared GatewayDeployment = "Shared"
	// GatewayDeploymentPerGateway runs pods for each Gateway, with an address of its own.
	GatewayDeploymentPerGateway GatewayDeployment = "PerGateway"
)

// IngressGatewaySpec configures the ingress gateway of a mesh. Gateways and HTTPRoutes of the Gateway API configure what it serves.
//
// +kubebuilder:validation:XValidation:rule="(has(self.mode) && self.mode == 'Managed') || !(has(self.service) || has(self.ports) || has(self.allowedNamespaces) || has(self.replicas) || has(self.autoscaling) || has(self.nodeSelector) || has(self.tolerations) || has(self.affinity) || has(self.priorityClassName) || has(self.imagePullSecrets) || has(self.topologySpreadConstraints) || has(self.resources) || has(self.overlay))",message="spec.ingressGateway has no effect: set mode to Managed, or remove its other fields"
// +kubebuilder:validation:XValidation:rule="!(has(self.replicas) && has(self.autoscaling))",message="replicas and autoscaling exclude each other: with autoscaling the number of pods follows their load, so remove one of them"
// +kubebuilder:validation:XValidation:rule="!has(self.autoscaling) || !has(self.resources) || (has(self.resources.requests) && 'cpu' in self.resources.requests) || (has(self.resources.limits) && 'cpu' in self.resources.limits)",message="autoscaling compares CPU usage with the CPU request: set resources.requests.cpu, or remove resources"
// +kubebuilder:validation:XValidation:rule="!has(self.service) || !has(self.service.nodePorts) || self.service.nodePorts.all(n, n.port in (has(self.ports) ? self.ports : [80, 443]))",message="spec.ingressGateway.service.nodePorts has a port that is not one of spec.ingressGateway.ports: correct it, or add the port"
type IngressGatewaySpec struct {
	// mode is Disabled or Managed. Managed runs Envoy in the namespace of the mesh, and creates a GatewayClass with the name of the mesh.
	// It needs the definitions of the Gateway API. Default: Disabled.
	// +optional
	Mode *IngressGatewayMode `json:"mode,omitempty"`

	// deployment is Shared or PerGateway. With Shared, the same pods serve all Gateways, with one Service and address. With PerGateway, each Gateway has
	// pods, a Service and an address of its own, in the namespace of the mesh; the other fields apply to each, except service.nodePorts. The number of
	// such Gateways of a namespace is limited. It has no effect unless mode is Managed. Default: Shared.
	// +optional
	Deployment *GatewayDeployment `json:"deployment,omitempty"`

	// service configures the Service of the gateway.
	// +optional
	Service *GatewayServiceSpec `json:"service,omitempty"`

	// ports are those that listeners of Gateways may use. Default: 80 and 443; with the deployment PerGateway, all except 15000 to 15999.
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

	// GatewayPodsSpec configures the pods.
	GatewayPodsSpec `json:",inline"`
}
