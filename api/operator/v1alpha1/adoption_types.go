package v1alpha1

// AdoptionSpec moves the workloads of an Open Service Mesh of the same name to this mesh. If that runs, the Mesh has a namespace of its own, and from and
// step move it step by step; each step can be taken back. bridge serves its sidecars, also after it was removed.
//
// +kubebuilder:validation:XValidation:rule="!has(self.service) || self.service != 'Redirect' || has(self.bridge)",message="spec.adoption.service Redirect needs spec.adoption.bridge: without it, sidecars of the Open Service Mesh are rejected"
type AdoptionSpec struct {
	// from is the namespace in which the Open Service Mesh runs, for example osm-system. It differs from spec.namespace and cannot change.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",messageExpression="'spec.adoption.from \"' + self + '\" is not a namespace name: write the namespace of the Open Service Mesh, for example osm-system'"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",messageExpression="'spec.adoption.from cannot change from ' + oldSelf + ': remove spec.adoption, or delete the Mesh and create it again'"
	// +optional
	From *string `json:"from,omitempty"`

	// step is Prepared, Injecting, Restarting or Complete. Each includes the earlier ones, and each can be set back while the Open Service Mesh runs.
	// Prepared runs the control plane with the certificate authority and the settings of the Open Service Mesh, and serves nobody. Injecting
	// also injects new pods and validates policies. Restarting also restarts workloads with sidecars of the Open Service Mesh, in waves and within
	// the limits of spec.upgrade.dataPlane. Complete also ends the takeover once the Open Service Mesh is removed. Default: Prepared.
	// +optional
	Step *AdoptionStep `json:"step,omitempty"`

	// service is Keep or Redirect. Redirect leads the Service osm-controller in the namespace of the Open Service Mesh to the controllers of this mesh, so
	// that they serve the sidecars of the Open Service Mesh. It can be set and taken back in each step. Default: Keep.
	// +optional
	Service *AdoptionService `json:"service,omitempty"`

	// bridge lets the control plane serve sidecars of Open Service Mesh v1.2 for a time. Default: they are not served.
	// +optional
	Bridge *BridgeSpec `json:"bridge,omitempty"`
}

// AdoptionStep is a step of a takeover.
// +kubebuilder:validation:Enum=Prepared;Injecting;Restarting;Complete
type AdoptionStep string

// The steps of a takeover, in their order.
const (
	// AdoptionPrepared runs the control plane next to the Open Service Mesh.
	AdoptionPrepared AdoptionStep = "Prepared"
	// AdoptionInjecting injects new pods and validates policies.
	AdoptionInjecting AdoptionStep = "Injecting"
	// AdoptionRestarting restarts workloads with sidecars of the Open Service Mesh.
	AdoptionRestarting AdoptionStep = "Restarting"
	// AdoptionComplete ends the takeover.
	AdoptionComplete AdoptionStep = "Complete"
)

// AdoptionService is what a takeover does with the Service of xDS.
// +kubebuilder:validation:Enum=Keep;Redirect
type AdoptionService string

// What a takeover does with the Service of xDS.
const (
	// AdoptionServiceKeep leaves the Service alone.
	AdoptionServiceKeep AdoptionService = "Keep"
	// AdoptionServiceRedirect leads the Service to this mesh.
	AdoptionServiceRedirect AdoptionService = "Redirect"
)

// AdoptionStatus is the progress of a takeover.
type AdoptionStatus struct {
	// from is the namespace of the Open Service Mesh.
	From string `json:"from"`

	// step is the step that is in effect, Prepared, Injecting, Restarting or Complete. It is absent before the first is.
	// +optional
	Step string `json:"step,omitempty"`

	// version is the version of the Open Service Mesh. It is absent after that was removed.
	// +optional
	Version string `json:"version,omitempty"`

	// earlierSidecars is the number of pods with a sidecar of the Open Service Mesh.
	EarlierSidecars int32 `json:"earlierSidecars"`

	// sidecars is the number of pods with a sidecar of this mesh.
	Sidecars int32 `json:"sidecars"`

	// service is Redirect while the Service osm-controller of the Open Service Mesh leads to this mesh.
	// +optional
	Service string `json:"service,omitempty"`
}
