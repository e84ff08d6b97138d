package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MeshRevision is one concrete version of the control plane of a Mesh, as a ReplicaSet is one version of a
// Deployment. The operator creates, changes and deletes it; users read it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Mesh",type=string,JSONPath=`.spec.mesh`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.spec.version`
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type MeshRevision struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what the revision shall be, with every default of the Mesh resolved.
	// +required
	Spec MeshRevisionSpec `json:"spec"`

	// status is what the operator observed; only the operator writes it.
	// +optional
	Status MeshRevisionStatus `json:"status,omitzero"`
}

// MeshRevisionSpec is everything the operator needs to deploy one version of the control plane, with nothing
// left to default.
type MeshRevisionSpec struct {
	// mesh is the name of the Mesh this revision belongs to. It cannot change.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=53
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.mesh cannot change: a revision belongs to one Mesh for ever"
	Mesh string `json:"mesh"`

	// version is the version of the control plane. It cannot change: another version is another revision.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.version cannot change: set spec.version of the Mesh, and the operator makes another revision"
	Version string `json:"version"`

	// namespace is where the control plane runs. It cannot change.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.namespace cannot change: delete the Mesh and create it again to move it"
	Namespace string `json:"namespace"`

	// trustDomain is the end of every identity in the mesh. It cannot change.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.trustDomain cannot change: delete the Mesh and create it again to use another one"
	TrustDomain string `json:"trustDomain"`

	// key is the private key behind the certificate of each workload. Default: ECDSA with 256 bits.
	// +optional
	Key KeySpec `json:"key,omitzero"`

	// controlPlane is the shape of the controller and of the injector.
	// +optional
	ControlPlane ControlPlaneSpec `json:"controlPlane,omitzero"`

	// images are the images of this version.
	// +required
	Images RevisionImages `json:"images"`

	// role is what the revision does in its mesh: Base, Beside, Promoting or Standby. Default: Base.
	// +optional
	Role Role `json:"role,omitempty"`
}

// RevisionImages are the images that one version of the control plane runs or injects.
type RevisionImages struct {
	// controller is the image of the controller.
	// +required
	// +kubebuilder:validation:MinLength=1
	Controller string `json:"controller"`

	// injector is the image of the injector.
	// +required
	// +kubebuilder:validation:MinLength=1
	Injector string `json:"injector"`

	// init is the image of the init container that redirects the traffic of a pod.
	// +required
	// +kubebuilder:validation:MinLength=1
	Init string `json:"init"`

	// sidecar is the image of Envoy.
	// +required
	// +kubebuilder:validation:MinLength=1
	Sidecar string `json:"sidecar"`
}

// MeshRevisionStatus is what the operator observed about a revision.
type MeshRevisionStatus struct {
	// observedGeneration is the generation of the MeshRevision that this status speaks about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling and Stalled, with the meaning they have on a Mesh.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// controller counts the pods of the controller: of the one beside the mesh's own while there is one.
	// +optional
	Controller WorkloadStatus `json:"controller,omitzero"`

	// injector counts the pods of the injector, likewise.
	// +optional
	Injector WorkloadStatus `json:"injector,omitzero"`

	// role is what the revision does now, since roleSince.
	// +optional
	Role Role `json:"role,omitempty"`

	// roleSince is when the revision took its role.
	// +optional
	RoleSince *metav1.Time `json:"roleSince,omitempty"`

	// ranBeside is true when the revision has run beside another one: sidecars from that time know it by a Service of its own name.
	// +optional
	RanBeside bool `json:"ranBeside,omitempty"`

	// wellSince is when every gate but the soak had passed first in the latest step of an upgrade. One from before that step, which
	// begins with roleSince or with the latest restart of a workload, says nothing.
	// +optional
	WellSince *metav1.Time `json:"wellSince,omitempty"`

	// unwellSince is since when some gate has not passed, after all had in the step; none while all pass.
	// +optional
	UnwellSince *metav1.Time `json:"unwellSince,omitempty"`

	// verifiedAt is when the revision had run the whole mesh and passed all gates: it can be gone back to.
	// +optional
	VerifiedAt *metav1.Time `json:"verifiedAt,omitempty"`

	// rejected is why the revision was given up.
	// +optional
	Rejected *RevisionRejection `json:"rejected,omitempty"`

	// baseline is what was observed before the revision took over.
	// +optional
	Baseline *RevisionBaseline `json:"baseline,omitempty"`
}

// WorkloadStatus counts the pods of one Deployment.
type WorkloadStatus struct {
	// replicas is the number of pods that are wanted.
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
