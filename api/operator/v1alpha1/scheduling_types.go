package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// SchedulingSpec configures where the pods of a component run, and how they get their images.
type SchedulingSpec struct {
	// nodeSelector lists labels that a node must have, in addition to kubernetes.io/os=linux. Default: none.
	// +optional
	NodeSelector Labels `json:"nodeSelector,omitempty"`

	// tolerations allow the pods to run on tainted nodes. Default: none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity sets node and pod affinity. A pod affinity term without labelSelector selects the pods of the component. Default: none.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// priorityClassName is the PriorityClass of the pods. Default: that of the cluster.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName *string `json:"priorityClassName,omitempty"`

	// imagePullSecrets name Secrets in the namespace of the mesh that are used to pull the images of the pods. Default: those of
	// controlPlane.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	ImagePullSecrets []PullSecret `json:"imagePullSecrets,omitempty"`
}

// OverlaySpec configures the pods of a component where no field does.
type OverlaySpec struct {
	// overlay is a strategic merge patch of the pod template, for what has no field: environment variables, volumes, security contexts. It
	// changes existing containers, and no images, ServiceAccount, labels and annotations of the operator. One that does not fit is reported with
	// the reason ComponentFailed. Default: none.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Overlay *runtime.RawExtension `json:"overlay,omitempty"`
}

// GatewayPodsSpec configures the pods of a gateway.
type GatewayPodsSpec struct {
	// replicas is the number of pods. Default: 2.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Replicas *int32 `json:"replicas,omitempty"`

	// autoscaling creates a HorizontalPodAutoscaler that sets the number of pods by CPU usage. It requires CPU metrics, for
	// example from metrics-server. Default: none, the number of pods is fixed.
	// +optional
	Autoscaling *AutoscalingSpec `json:"autoscaling,omitempty"`

	// SchedulingSpec configures where the pods run. Servers outside the cluster see the addresses of these nodes, or of the pods.
	SchedulingSpec `json:",inline"`

	// topologySpreadConstraints spread the pods over nodes and zones. A constraint without labelSelector selects the pods of the
	// gateway. Default: evenly over nodes where possible.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`

	// resources are the compute resources of each pod's Envoy. Default: requests of 100m CPU and 128Mi memory, a limit of 512Mi memory.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// drainDelay is how long a pod that is deleted still accepts connections, for clients and load balancers that have not noticed. Then it waits up
	// to 50 seconds for requests in progress. It is between 1s and 10m. Default: 10s at the egress gateway, 30s at the others.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || duration(self) >= duration('1s') && duration(self) <= duration('10m')",messageExpression="'drainDelay is ' + self + ': use 1s to 10m'"
	DrainDelay *Duration `json:"drainDelay,omitempty"`

	// image is the image of Envoy in the pods of the gateway, so that a gateway can get another one before or after the sidecars. Default: the
	// image of the sidecars.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Image *string `json:"image,omitempty"`

	// overlay is a strategic merge patch of the pod template, for what has no field: environment variables, volumes, security contexts. It
	// changes existing containers, and no images, ServiceAccount, labels and annotations of the operator. One that does not fit is reported with
	// the reason ComponentFailed. Default: none.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Overlay *runtime.RawExtension `json:"overlay,omitempty"`
}
