package v1alpha1

import corev1 "k8s.io/api/core/v1"

// JaegerMode is whether the operator runs a Jaeger for a mesh.
// +kubebuilder:validation:Enum=Disabled;Managed
type JaegerMode string

// The modes.
const (
	// JaegerDisabled has no Jaeger. It is the default.
	JaegerDisabled JaegerMode = "Disabled"
	// JaegerManaged runs one in the namespace of the mesh.
	JaegerManaged JaegerMode = "Managed"
)

// JaegerComponent configures the Jaeger of a mesh. Sidecars send traces after spec.observability.tracing.enable of the MeshConfig.
// +kubebuilder:validation:XValidation:rule="has(self.managed) ? (has(self.mode) && self.mode == 'Managed') : true",message="spec.observability.jaeger.managed has no effect: set mode to Managed, or remove it"
type JaegerComponent struct {
	// mode is Disabled or Managed. Managed runs a Jaeger in the namespace of the mesh, at the default address of the MeshConfig for
	// traces. Default: Disabled.
	// +optional
	Mode *JaegerMode `json:"mode,omitempty"`

	// managed configures the Jaeger of mode Managed.
	// +optional
	Managed *ManagedJaeger `json:"managed,omitempty"`
}

// ManagedJaeger configures a Jaeger that the operator runs.
// +kubebuilder:validation:XValidation:rule="!(has(self.maxTraces) && has(self.storageSecretRef))",message="spec.observability.jaeger.managed.maxTraces is about traces in memory: remove it, or storageSecretRef"
type ManagedJaeger struct {
	// image is the image of Jaeger 2. Default: quay.io/jaegertracing/jaeger:2.13.0.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Image *string `json:"image,omitempty"`

	// maxTraces is the number of traces that are kept in memory. They are lost when the pod is replaced. Default: 10000.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000000
	MaxTraces *int32 `json:"maxTraces,omitempty"`

	// storageSecretRef names a key of a Secret in the namespace of the mesh. It has the configuration of one storage backend of
	// Jaeger, such as elasticsearch with its server_urls. Default: none, traces are in memory.
	// +optional
	StorageSecretRef *SecretKeyReference `json:"storageSecretRef,omitempty"`

	// resources are the compute resources of Jaeger. It rejects spans when it reaches 80% of its memory limit. Default: requests of
	// 50m CPU and 128Mi memory, a limit of 512Mi memory.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// SchedulingSpec configures where the pod runs.
	SchedulingSpec `json:",inline"`

	// OverlaySpec configures the pod where no field does.
	OverlaySpec `json:",inline"`
}
