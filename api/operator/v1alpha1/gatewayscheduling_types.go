package v1alpha1

import corev1 "k8s.io/api/core/v1"

// GatewaySchedulingSpec configures where the pods of a gateway run. It has no effect without the gateway. The validation rules of gateways have only
// the fields of v0.3.0, because the Operator Lifecycle Manager v1 rejects an upgrade that changes a rule.
type GatewaySchedulingSpec struct {
	// nodeSelector lists labels that a node must have, in addition to kubernetes.io/os=linux. Default: none.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations allow the pods to run on tainted nodes. Default: none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity sets node and pod affinity. A pod affinity term without labelSelector selects the pods of the gateway. Default: none.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// topologySpreadConstraints spread the pods over nodes and zones. A constraint without labelSelector selects the pods of the
	// gateway. Default: evenly over nodes where possible.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`

	// priorityClassName is the PriorityClass of the pods. Default: that of the cluster.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName *string `json:"priorityClassName,omitempty"`
}
