package v1alpha1

import corev1 "k8s.io/api/core/v1"

// ControlPlaneSpec is the shape of the controller and of the injector. Where it speaks of a pod, it means those of both.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.replicas) && has(self.autoscaling))",message="spec.controlPlane.replicas and spec.controlPlane.autoscaling exclude each other: with autoscaling the number of pods follows their load, so take one of the two away"
// +kubebuilder:validation:XValidation:rule="!has(self.autoscaling) || !has(self.resources) || (has(self.resources.requests) && 'cpu' in self.resources.requests) || (has(self.resources.limits) && 'cpu' in self.resources.limits)",message="spec.controlPlane.autoscaling compares the CPU that is used with the CPU that is requested: set spec.controlPlane.resources.requests.cpu, or leave spec.controlPlane.resources out"
type ControlPlaneSpec struct {
	// replicas is the number of pods of each of the two. Default: 2, or what autoscaling decides.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Replicas *int32 `json:"replicas,omitempty"`

	// autoscaling lets a HorizontalPodAutoscaler decide the number of pods of each of the two, by the CPU that they use; the cluster
	// must measure that, as the metrics-server does. Default: none, the number is fixed.
	// +optional
	Autoscaling *AutoscalingSpec `json:"autoscaling,omitempty"`

	// resources are the compute resources of each pod. Default: the resources that the version was made with.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// logLevel is how much the control plane logs. Default: the level in the MeshConfig, which starts as info.
	// +optional
	// +kubebuilder:validation:Enum=trace;debug;info;warn;error;fatal;panic;disabled
	LogLevel *string `json:"logLevel,omitempty"`

	// images are images to run instead of those of the version, for clusters that pull from a registry of their own. They belong to
	// one version: change them together with spec.version. The image of Envoy is spec.sidecar.image. Default: those of the version.
	// +optional
	Images *ImagesSpec `json:"images,omitempty"`

	// imagePullSecrets name Secrets in the namespace of the mesh with which the images of the pods are pulled. Those of sidecars are
	// pulled with the secrets of the application's pod. Default: none.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	ImagePullSecrets []PullSecret `json:"imagePullSecrets,omitempty"`

	// priorityClassName is how important the pods are to the scheduler. Default: system-cluster-critical, because without them no
	// pod of the mesh can start.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName *string `json:"priorityClassName,omitempty"`

	// nodeSelector are labels that a node must have to get a pod, beside kubernetes.io/os=linux. Default: none.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations let pods run on tainted nodes. Default: none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity says which nodes and neighbours the pods want. A term about pods that has no labelSelector is about those of the same
	// Deployment. Default: pods of one Deployment prefer different nodes.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// topologySpreadConstraints say how the pods of each Deployment spread over nodes and zones. One that has no labelSelector is
	// about those of the same Deployment. Default: evenly over zones where that is possible.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
}

// PullSecret names a Secret of the type kubernetes.io/dockerconfigjson.
type PullSecret struct {
	// name is the name of the Secret, in the namespace of the mesh. It has no default.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// AutoscalingSpec is how many pods of the controller, and of the injector, there may be.
//
// +kubebuilder:validation:XValidation:rule="(has(self.minReplicas) ? self.minReplicas : 2) <= self.maxReplicas",messageExpression="'spec.controlPlane.autoscaling.maxReplicas %d is less than minReplicas %d: raise the one or lower the other'.format([self.maxReplicas, has(self.minReplicas) ? self.minReplicas : 2])"
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

	// targetCPUUtilization is the share of the requested CPU that pods shall use on average, in percent: more pods are made above
	// it. Default: 80.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	TargetCPUUtilization *int32 `json:"targetCPUUtilization,omitempty"`
}

// ImagesSpec are images instead of those of a version. Each is kept as the version has it when it is absent.
type ImagesSpec struct {
	// controller is the image of the controller. Default: that of the version.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Controller *string `json:"controller,omitempty"`

	// injector is the image of the injector. Default: that of the version.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Injector *string `json:"injector,omitempty"`

	// init is the image of the init container that redirects the traffic of a pod. Default: that of the version.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Init *string `json:"init,omitempty"`
}
