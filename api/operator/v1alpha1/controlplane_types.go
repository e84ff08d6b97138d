package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// ControlPlaneSpec configures the controller and the injector of a mesh. Fields outside controller and injector apply to both.
type ControlPlaneSpec struct {
	// controller configures the Deployment osm-controller, which serves configuration to sidecars.
	// +optional
	Controller *WorkloadSpec `json:"controller,omitempty"`

	// injector configures the Deployment osm-injector, which adds sidecars to pods.
	// +optional
	Injector *WorkloadSpec `json:"injector,omitempty"`

	// logLevel is the log level of the controller and of the injector. Default: the level in the MeshConfig, initially info.
	// +optional
	// +kubebuilder:validation:Enum=trace;debug;info;warn;error;fatal;panic;disabled
	LogLevel *string `json:"logLevel,omitempty"`

	// images replace the images of the version, for clusters that pull from their own registry. Images belong to one version:
	// change them together with spec.version. The image of Envoy is spec.sidecar.image. Default: the images of the version.
	// +optional
	Images *ImagesSpec `json:"images,omitempty"`

	// imagePullSecrets name Secrets in the namespace of the mesh that are used to pull the images of controller and injector.
	// Sidecar images are pulled with the secrets of the application's pod. Default: none.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	ImagePullSecrets []PullSecret `json:"imagePullSecrets,omitempty"`

	// webhookClientCABundle has certificate authorities. If set, the webhooks accept connections only with a client certificate
	// from one of them. Configure all API servers to present one before, with a kubeConfigFile in their AdmissionConfiguration: without
	// it, no pod of the mesh can be created. Default: any client may connect, within limits.
	// +optional
	WebhookClientCABundle *CABundle `json:"webhookClientCABundle,omitempty"`

	// priorityClassName is the PriorityClass of the pods. Default: system-cluster-critical, because no pod of the mesh can start
	// without the injector.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName *string `json:"priorityClassName,omitempty"`

	// nodeSelector lists labels that a node must have, in addition to kubernetes.io/os=linux. Default: none.
	// +optional
	NodeSelector Labels `json:"nodeSelector,omitempty"`

	// tolerations allow the pods to run on tainted nodes. Default: none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity sets node and pod affinity. A pod affinity term without labelSelector selects the pods of the same Deployment.
	// Default: pods of one Deployment prefer different nodes.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// topologySpreadConstraints spread the pods of each Deployment over nodes and zones. A constraint without labelSelector
	// selects the pods of the same Deployment. Default: evenly over zones where possible.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
}

// WorkloadSpec configures one Deployment of the control plane.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.replicas) && has(self.autoscaling))",message="replicas and autoscaling exclude each other: with autoscaling the number of pods follows their load, so remove one of them"
// +kubebuilder:validation:XValidation:rule="!has(self.autoscaling) || !has(self.resources) || (has(self.resources.requests) && 'cpu' in self.resources.requests) || (has(self.resources.limits) && 'cpu' in self.resources.limits)",message="autoscaling compares CPU usage with the CPU request: set resources.requests.cpu, or remove resources"
type WorkloadSpec struct {
	// replicas is the number of pods. Default: 2.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Replicas *int32 `json:"replicas,omitempty"`

	// autoscaling creates a HorizontalPodAutoscaler that sets the number of pods by CPU usage. It requires CPU metrics, for
	// example from metrics-server. Default: none, the number of pods is fixed.
	// +optional
	Autoscaling *AutoscalingSpec `json:"autoscaling,omitempty"`

	// resources are the compute resources of each pod. Default: the resources in the manifests of the version.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// labels are added to the Deployment and to its pods. Labels that the operator sets itself keep the operator's value.
	// Default: none.
	// +optional
	Labels Labels `json:"labels,omitempty"`

	// annotations are added to the Deployment and to its pods. Annotations that the operator sets itself keep the operator's
	// value. Default: none.
	// +optional
	Annotations Annotations `json:"annotations,omitempty"`

	// overlay is a strategic merge patch of the pod template, for what has no field: environment variables, volumes, security contexts. It
	// changes existing containers, and no images, ServiceAccount, labels and annotations of the operator. One that does not fit is reported with
	// the reason InvalidSpec. Default: none.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Overlay *runtime.RawExtension `json:"overlay,omitempty"`
}

// PullSecret refers to a Secret of type kubernetes.io/dockerconfigjson.
type PullSecret struct {
	// name is the name of the Secret, in the namespace of the mesh. It has no default.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// AutoscalingSpec configures the HorizontalPodAutoscaler of one Deployment.
//
// +kubebuilder:validation:XValidation:rule="(has(self.minReplicas) ? self.minReplicas : 2) <= self.maxReplicas",messageExpression="'maxReplicas %d is less than minReplicas %d: raise maxReplicas or lower minReplicas'.format([self.maxReplicas, has(self.minReplicas) ? self.minReplicas : 2])"
type AutoscalingSpec struct {
	// minReplicas is the smallest number of pods. Default: 2.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MinReplicas *int32 `json:"minReplicas,omitempty"`

	// maxReplicas is the greatest number of pods. It has no default.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MaxReplicas int32 `json:"maxReplicas"`

	// targetCPUUtilizationPercentage is the average CPU usage of the pods to aim for, in percent of their CPU request. Default: 80.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	TargetCPUUtilizationPercentage *int32 `json:"targetCPUUtilizationPercentage,omitempty"`
}

// ImagesSpec replaces images of a version. An absent field keeps the image of the version.
type ImagesSpec struct {
	// controller is the image of the controller. Default: the image of the version.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Controller *string `json:"controller,omitempty"`

	// injector is the image of the injector. Default: the image of the version.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Injector *string `json:"injector,omitempty"`

	// init is the image of the init container that redirects a pod's traffic to its sidecar. Default: the image of the version.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Init *string `json:"init,omitempty"`
}
