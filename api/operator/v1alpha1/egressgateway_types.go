package v1alpha1

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
//
// +kubebuilder:validation:XValidation:rule="(has(self.mode) && self.mode == 'Managed') || !(has(self.replicas) || has(self.autoscaling) || has(self.nodeSelector) || has(self.tolerations) || has(self.affinity) || has(self.priorityClassName) || has(self.imagePullSecrets) || has(self.topologySpreadConstraints) || has(self.resources) || has(self.overlay))",message="spec.egressGateway has no effect: set mode to Managed, or remove its other fields"
// +kubebuilder:validation:XValidation:rule="!(has(self.replicas) && has(self.autoscaling))",message="replicas and autoscaling exclude each other: with autoscaling the number of pods follows their load, so remove one of them"
// +kubebuilder:validation:XValidation:rule="!has(self.autoscaling) || !has(self.resources) || (has(self.resources.requests) && 'cpu' in self.resources.requests) || (has(self.resources.limits) && 'cpu' in self.resources.limits)",message="autoscaling compares CPU usage with the CPU request: set resources.requests.cpu, or remove resources"
type EgressGatewaySpec struct {
	// mode is Disabled or Managed. Managed runs Envoy in the namespace of the mesh. Default: Disabled.
	// +optional
	Mode *EgressGatewayMode `json:"mode,omitempty"`

	// allowedNamespaces are the namespaces to whose Services and pods the egress gateway forwards. The gateway is inside the cluster, so clients pass
	// NetworkPolicies that keep them out. It never forwards to the namespace of the mesh and to kube-system. Default: hosts outside the cluster only.
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
