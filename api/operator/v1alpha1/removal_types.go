package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RemovalSpec configures what happens to workloads when the Mesh is deleted. It can still be changed during the deletion.
type RemovalSpec struct {
	// sidecars is Wait or Restart. Wait keeps the mesh running until users have removed the sidecars from all pods. Restart restarts
	// workloads without sidecars, in waves and within the limits of spec.upgrade.dataPlane. Before the first restart, policies and mutual TLS
	// are disabled in the whole mesh, so that pods with and without a sidecar reach each other. Both wait for Jobs, bare pods, and workloads
	// that opted out of restarts. Default: Wait.
	// +optional
	Sidecars *SidecarRemoval `json:"sidecars,omitempty"`

	// namespace is Retain or Delete. Retain keeps the namespace of the mesh. Delete deletes it if the operator created it, and if it
	// contains no object of any kind that was not made for the mesh. Default: Retain.
	// +optional
	Namespace *NamespaceRemoval `json:"namespace,omitempty"`
}

// NamespaceRemoval decides whether the namespace of a mesh is deleted with the Mesh.
// +kubebuilder:validation:Enum=Retain;Delete
type NamespaceRemoval string

// The modes of namespace removal.
const (
	// NamespaceRetain keeps the namespace.
	NamespaceRetain NamespaceRemoval = "Retain"
	// NamespaceDelete deletes a namespace that the operator created and that contains nothing else.
	NamespaceDelete NamespaceRemoval = "Delete"
)

// SidecarRemoval decides who removes the sidecars from workloads.
// +kubebuilder:validation:Enum=Wait;Restart
type SidecarRemoval string

// The modes of sidecar removal.
const (
	// SidecarsWait waits until users have removed all sidecars.
	SidecarsWait SidecarRemoval = "Wait"
	// SidecarsRestart restarts workloads without sidecars.
	SidecarsRestart SidecarRemoval = "Restart"
)

// RemovalStatus is the progress of the removal of a mesh.
type RemovalStatus struct {
	// phase is the current phase.
	Phase RemovalPhase `json:"phase"`

	// startTime is when the phase started.
	StartTime metav1.Time `json:"startTime"`

	// sidecars is the number of pods that still have a sidecar.
	Sidecars int32 `json:"sidecars"`

	// message describes what the phase does or waits for.
	// +optional
	Message string `json:"message,omitempty"`
}
