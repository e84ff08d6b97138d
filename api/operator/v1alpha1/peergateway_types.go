package v1alpha1

import corev1 "k8s.io/api/core/v1"

// PeerGatewayMode is whether the operator runs a peer gateway for a mesh.
// +kubebuilder:validation:Enum=Disabled;Managed
type PeerGatewayMode string

// The modes.
const (
	// PeerGatewayDisabled has no peer gateway. It is the default.
	PeerGatewayDisabled PeerGatewayMode = "Disabled"
	// PeerGatewayManaged runs one in the namespace of the mesh.
	PeerGatewayManaged PeerGatewayMode = "Managed"
)

// AnySource as the only element of loadBalancerSourceRanges admits all addresses.
const AnySource = "Any"

// PeerGatewaySpec configures the peer gateway of a mesh, through which connections of peers arrive and those to peers leave.
//
// +kubebuilder:validation:XValidation:rule="(has(self.mode) && self.mode == 'Managed') || !(has(self.service) || has(self.replicas) || has(self.autoscaling) || has(self.nodeSelector) || has(self.tolerations) || has(self.affinity) || has(self.priorityClassName) || has(self.imagePullSecrets) || has(self.topologySpreadConstraints) || has(self.resources) || has(self.drainDelay) || has(self.image) || has(self.overlay))",message="spec.peerGateway has no effect: set mode to Managed, or remove its other fields"
// +kubebuilder:validation:XValidation:rule="!(has(self.replicas) && has(self.autoscaling))",message="replicas and autoscaling exclude each other: with autoscaling the number of pods follows their load, so remove one of them"
// +kubebuilder:validation:XValidation:rule="!has(self.autoscaling) || !has(self.resources) || (has(self.resources.requests) && 'cpu' in self.resources.requests) || (has(self.resources.limits) && 'cpu' in self.resources.limits)",message="autoscaling compares CPU usage with the CPU request: set resources.requests.cpu, or remove resources"
type PeerGatewaySpec struct {
	// mode is Disabled or Managed. Managed runs Envoy in the namespace of the mesh, and installs the definitions of ServiceExport and ServiceImport
	// if they do not exist. It needs version v0.6.0 of the control plane. Default: Disabled.
	// +optional
	Mode *PeerGatewayMode `json:"mode,omitempty"`

	// service configures the Service that peers connect to.
	// +optional
	Service *PeerGatewayServiceSpec `json:"service,omitempty"`

	// GatewayPodsSpec configures the pods.
	GatewayPodsSpec `json:",inline"`
}

// PeerGatewayServiceSpec configures the Service of a peer gateway. Its port is 15443.
//
// +kubebuilder:validation:XValidation:rule="!has(self.type) || self.type != 'LoadBalancer' || has(self.loadBalancerSourceRanges)",message="a load balancer can be reached by anybody: set spec.peerGateway.service.loadBalancerSourceRanges to the addresses of peers, or to [Any]"
// +kubebuilder:validation:XValidation:rule="!(has(self.loadBalancerClass) || has(self.loadBalancerSourceRanges)) || has(self.type) && self.type == 'LoadBalancer'",message="loadBalancerClass and loadBalancerSourceRanges have no effect: set type to LoadBalancer, or remove them"
// +kubebuilder:validation:XValidation:rule="!(has(self.externalTrafficPolicy) || has(self.nodePort)) || has(self.type) && self.type != 'ClusterIP'",message="externalTrafficPolicy and nodePort have no effect with the type ClusterIP: set type to LoadBalancer or NodePort, or remove them"
type PeerGatewayServiceSpec struct {
	// type is the type of the Service: LoadBalancer, NodePort or ClusterIP. With ClusterIP, only peers in the same network reach the gateway.
	// Default: ClusterIP.
	// +optional
	// +kubebuilder:validation:Enum=LoadBalancer;NodePort;ClusterIP
	Type *corev1.ServiceType `json:"type,omitempty"`

	// annotations are added to the Service, for example those of a cloud for its load balancers. Default: none.
	// +optional
	Annotations Annotations `json:"annotations,omitempty"`

	// labels are added to the Service. Labels that the operator sets itself keep the operator's value. Default: none.
	// +optional
	Labels Labels `json:"labels,omitempty"`

	// loadBalancerClass is the implementation of the load balancer. Kubernetes rejects a change: set type to ClusterIP in between. Default:
	// that of the cluster.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	LoadBalancerClass *string `json:"loadBalancerClass,omitempty"`

	// loadBalancerSourceRanges are the addresses of peers that the load balancer admits, in CIDR notation, if the cloud supports it, or Any as the only
	// element for all. It is required with the type LoadBalancer, and has no default.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:Pattern=`^([0-9a-fA-F.:]+/[0-9]{1,3}|Any)$`
	// +kubebuilder:validation:XValidation:rule="!('Any' in self) || self.size() == 1",message="loadBalancerSourceRanges has Any and addresses: Any admits all, so remove one of them"
	LoadBalancerSourceRanges []string `json:"loadBalancerSourceRanges,omitempty"`

	// externalTrafficPolicy is Local or Cluster. With Local, only nodes with a pod of the gateway receive connections, and load balancers see
	// which. With Cluster every node receives them. Default: Local.
	// +optional
	// +kubebuilder:validation:Enum=Local;Cluster
	ExternalTrafficPolicy *corev1.ServiceExternalTrafficPolicy `json:"externalTrafficPolicy,omitempty"`

	// nodePort is the port of each node, in the range of the cluster. Default: Kubernetes chooses it.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	NodePort *int32 `json:"nodePort,omitempty"`
}
