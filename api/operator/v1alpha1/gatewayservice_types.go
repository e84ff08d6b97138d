package v1alpha1

import corev1 "k8s.io/api/core/v1"

// GatewayServiceSpec configures the Service of an ingress gateway.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.loadBalancerClass) || has(self.loadBalancerSourceRanges)) || !has(self.type) || self.type == 'LoadBalancer'",message="loadBalancerClass and loadBalancerSourceRanges have no effect: set type to LoadBalancer, or remove them"
// +kubebuilder:validation:XValidation:rule="!(has(self.externalTrafficPolicy) || has(self.nodePorts)) || !has(self.type) || self.type != 'ClusterIP'",message="externalTrafficPolicy and nodePorts have no effect with the type ClusterIP: set type to LoadBalancer or NodePort, or remove them"
type GatewayServiceSpec struct {
	// type is the type of the Service: LoadBalancer, NodePort or ClusterIP. Default: LoadBalancer.
	// +optional
	// +kubebuilder:validation:Enum=LoadBalancer;NodePort;ClusterIP
	Type *corev1.ServiceType `json:"type,omitempty"`

	// annotations are added to the Service, for example those of a cloud for its load balancers. Default: none.
	// +optional
	Annotations Annotations `json:"annotations,omitempty"`

	// labels are added to the Service. Labels that the operator sets itself keep the operator's value. Default: none.
	// +optional
	Labels Labels `json:"labels,omitempty"`

	// allowedMetadata are the labels and annotations that a Gateway with the deployment PerGateway may give to its Service in its infrastructure: keys, or
	// domains with a slash at the end, such as "example.com/", for all their keys. The Service is in the namespace of the mesh, so allow only what every
	// namespace of allowedNamespaces may decide, for example no address and no DNS name that another one needs. Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=317
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$')",messageExpression="'spec.ingressGateway.service.allowedMetadata has \"' + self + '\", which is no key and no domain: write for example example.com/note, or example.com/ for all keys of the domain'"
	AllowedMetadata []string `json:"allowedMetadata,omitempty"`

	// loadBalancerClass is the implementation of the load balancer. Kubernetes rejects a change: set type to ClusterIP in between. Default:
	// that of the cluster.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	LoadBalancerClass *string `json:"loadBalancerClass,omitempty"`

	// externalTrafficPolicy is Local or Cluster. Local keeps the addresses of clients, and only nodes with a pod of the gateway receive
	// connections. With Cluster every node receives them, and the gateway sees the addresses of nodes. Default: Local.
	// +optional
	// +kubebuilder:validation:Enum=Local;Cluster
	ExternalTrafficPolicy *corev1.ServiceExternalTrafficPolicy `json:"externalTrafficPolicy,omitempty"`

	// loadBalancerSourceRanges are the addresses of clients that the load balancer admits, in CIDR notation, if the cloud supports it.
	// Default: all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:Pattern=`^[0-9a-fA-F.:]+/[0-9]{1,3}$`
	LoadBalancerSourceRanges []string `json:"loadBalancerSourceRanges,omitempty"`

	// nodePorts are the ports of nodes for ports of the gateway. Default: Kubernetes chooses them.
	// +optional
	// +listType=map
	// +listMapKey=port
	// +kubebuilder:validation:MaxItems=32
	NodePorts []GatewayNodePort `json:"nodePorts,omitempty"`
}

// GatewayNodePort is the port of nodes for a port of the ingress gateway.
type GatewayNodePort struct {
	// port is one of the ports of the gateway.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`

	// nodePort is the port of each node, in the range of the cluster.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	NodePort int32 `json:"nodePort"`
}
