package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MeshRevision is one concrete version of the control plane of a Mesh, as a ReplicaSet is one version of a
// Deployment. The operator creates, updates and deletes it; users only read it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=osm
// +kubebuilder:printcolumn:name="Mesh",type=string,JSONPath=`.spec.mesh`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.spec.version`
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type MeshRevision struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the desired state of the revision, with every default of the Mesh applied.
	// +required
	Spec MeshRevisionSpec `json:"spec"`

	// status is the observed state of the revision. Only the operator writes it. The default keeps kstatus from
	// regarding a new object as complete.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status MeshRevisionStatus `json:"status,omitzero"`
}

// PolicyStatus decides whether a control plane writes the status of policies.
// +kubebuilder:validation:Enum=Write;Omit
type PolicyStatus string

// The modes of the status of policies.
const (
	// PolicyStatusWrite writes the status.
	PolicyStatusWrite PolicyStatus = "Write"
	// PolicyStatusOmit leaves the status to another control plane.
	PolicyStatusOmit PolicyStatus = "Omit"
)

// MeshRevisionSpec is the complete configuration of one version of the control plane, without defaults to apply.
type MeshRevisionSpec struct {
	// mesh is the name of the Mesh that this revision belongs to. It cannot change.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=53
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.mesh cannot change: a revision always belongs to the same Mesh"
	Mesh string `json:"mesh"`

	// version is the version of the control plane. It cannot change: another version is another revision.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.version cannot change: set spec.version of the Mesh, and the operator creates another revision"
	Version string `json:"version"`

	// namespace is where the control plane runs. It cannot change.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.namespace cannot change: delete the Mesh and create it again to move it"
	Namespace string `json:"namespace"`

	// trustDomain is the trust domain with which sidecars of this revision verify the control plane. It is that of the Mesh when the revision
	// was created, and cannot change.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.trustDomain cannot change: set spec.certificates.trustDomain of the Mesh, and certificates follow"
	TrustDomain string `json:"trustDomain"`

	// key configures the private keys of workload certificates. Default: ECDSA with 256 bits.
	// +optional
	Key KeySpec `json:"key,omitzero"`

	// controlPlane configures the controller and the injector.
	// +optional
	ControlPlane ControlPlaneSpec `json:"controlPlane,omitzero"`

	// images are the images of this version.
	// +required
	Images RevisionImages `json:"images"`

	// slots gives new pods two containers for Envoy, so that it can be upgraded while the application runs. Without it they get one.
	// +optional
	Slots *RevisionSlots `json:"slots,omitempty"`

	// sidecar is what new pods get. It never changes: other values are another revision, so that each change passes the gates and has a way back. Without
	// it, as in versions before v0.6, new pods get what the MeshConfig has.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.sidecar of a MeshRevision never changes: change spec.sidecar of the Mesh, and the operator creates another MeshRevision"
	Sidecar *RevisionSidecar `json:"sidecar,omitempty"`

	// bridgeUntil is when the controller stops to serve sidecars of Open Service Mesh. Without it they are not served.
	// +optional
	BridgeUntil *metav1.Time `json:"bridgeUntil,omitempty"`

	// policyStatus is Write or Omit. With Omit the controller writes no status of policies, because an Open Service Mesh does. Default: Write.
	// +optional
	PolicyStatus *PolicyStatus `json:"policyStatus,omitempty"`

	// role is Active, Canary, Promoting or Standby.
	// +optional
	// +kubebuilder:validation:Enum=Active;Canary;Promoting;Standby
	Role Role `json:"role,omitempty"`
}

// RevisionSidecar is what new pods of a revision get. Other settings of the MeshConfig act on new pods at once.
type RevisionSidecar struct {
	// image is the image of Envoy.
	// +required
	// +kubebuilder:validation:MinLength=1
	Image string `json:"image"`

	// initImage is the image of the init containers.
	// +required
	// +kubebuilder:validation:MinLength=1
	InitImage string `json:"initImage"`

	// resources are the compute resources of the injected containers, for pods without a class of sidecars.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// statistics are Essential or All.
	// +required
	Statistics string `json:"statistics"`
}

// RevisionSlots configures pods with two containers for Envoy.
type RevisionSlots struct {
	// drainTimeout is how long connections of an earlier Envoy may last after another one has taken over.
	// +required
	DrainTimeout Duration `json:"drainTimeout,omitempty"`
}

// RevisionImages are the images that a version of the control plane runs or injects.
type RevisionImages struct {
	// controller is the image of the controller.
	// +required
	// +kubebuilder:validation:MinLength=1
	Controller string `json:"controller"`

	// injector is the image of the injector.
	// +required
	// +kubebuilder:validation:MinLength=1
	Injector string `json:"injector"`

	// init is the image of the init container that redirects a pod's traffic to its sidecar.
	// +required
	// +kubebuilder:validation:MinLength=1
	Init string `json:"init"`

	// sidecar is the image of Envoy.
	// +required
	// +kubebuilder:validation:MinLength=1
	Sidecar string `json:"sidecar"`
}

// MeshRevisionStatus is the observed state of a revision.
type MeshRevisionStatus struct {
	// observedGeneration is the generation of the MeshRevision that this status is based on.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling and Stalled, with the same meaning as on a Mesh.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// controller counts the pods of the controller. In the roles Canary and Promoting it counts those of the canary Deployment.
	// +optional
	Controller WorkloadStatus `json:"controller,omitzero"`

	// injector counts the pods of the injector, in the same way.
	// +optional
	Injector WorkloadStatus `json:"injector,omitzero"`

	// role is the role that the revision has now.
	// +optional
	Role Role `json:"role,omitempty"`

	// roleStartTime is when the revision got its role.
	// +optional
	RoleStartTime *metav1.Time `json:"roleStartTime,omitempty"`

	// ranAsCanary is true if the revision has had the role Canary. Sidecars injected then connect to a Service named after it.
	// +optional
	RanAsCanary bool `json:"ranAsCanary,omitempty"`

	// healthyTime is when every gate except the soak first passed in the current step of an upgrade. It is ignored if it is before
	// the step, which starts at roleStartTime or with the latest restart of a workload.
	// +optional
	HealthyTime *metav1.Time `json:"healthyTime,omitempty"`

	// unhealthyTime is when a gate failed after all had passed in the step. It is absent while all gates pass.
	// +optional
	UnhealthyTime *metav1.Time `json:"unhealthyTime,omitempty"`

	// observedTime is when the gates were evaluated last, with a precision of half a minute.
	// +optional
	ObservedTime *metav1.Time `json:"observedTime,omitempty"`

	// resumedTime is when the gates were evaluated again, after more than a minute in which nobody could. It starts the step anew.
	// +optional
	ResumedTime *metav1.Time `json:"resumedTime,omitempty"`

	// unreadTime is since when workloads cannot be read. An upgrade waits for them as long as for a gate. It is absent while all can be read.
	// +optional
	UnreadTime *metav1.Time `json:"unreadTime,omitempty"`

	// restarts are the container restarts of the control plane from before the current step.
	// +optional
	Restarts *StepRestarts `json:"restarts,omitempty"`

	// verificationTime is when the revision had passed all gates in the whole mesh. A rollback returns to a verified revision.
	// +optional
	VerificationTime *metav1.Time `json:"verificationTime,omitempty"`

	// rejected records why the revision failed. It is absent unless a gate failed.
	// +optional
	Rejected *RevisionRejection `json:"rejected,omitempty"`

	// baseline is what was observed before the revision became active.
	// +optional
	Baseline *RevisionBaseline `json:"baseline,omitempty"`
}

// WorkloadStatus counts the pods of one Deployment.
type WorkloadStatus struct {
	// replicas is the desired number of pods.
	Replicas int32 `json:"replicas"`

	// ready is the number of pods that are up to date and ready.
	Ready int32 `json:"ready"`
}

// MeshRevisionList is a list of revisions.
//
// +kubebuilder:object:root=true
type MeshRevisionList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []MeshRevision `json:"items"`
}

// Conversion between served versions follows the hub-and-spoke pattern of controller-runtime: v1alpha1 is the hub, and every other
// version converts to and from it. Adding v1beta1:
//  1. Add api/operator/v1beta1 with the types, and ConvertTo and ConvertFrom(conversion.Hub) on Mesh and MeshRevision. Keep what
//     v1beta1 cannot express in an annotation, so that a round trip loses nothing; conversion_test.go shows the pattern.
//  2. Set spec.conversion.strategy to Webhook in the definitions, and serve the webhook in cmd/operator. It must answer before
//     objects are read in the new version.
//  3. Serve v1beta1 and keep v1alpha1 as storage for one release. Then move the storage version and the Hub methods to v1beta1, and
//     rewrite stored objects before status.storedVersions drops v1alpha1.

// Hub marks Mesh as the version that other versions convert to and from.
func (*Mesh) Hub() {}

// Hub marks MeshRevision as the version that other versions convert to and from.
func (*MeshRevision) Hub() {}
