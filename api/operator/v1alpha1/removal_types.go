package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RemovalSpec says what becomes of workloads when the Mesh is deleted. It may still be written while the deletion waits.
type RemovalSpec struct {
	// sidecars is Wait, which keeps the mesh at work until people have taken the sidecars out of all pods, or Restart, which restarts
	// the workloads without sidecars, in waves and within the limits of spec.upgrade.dataPlane. Before the first of them policies
	// and mutual TLS end in the whole mesh, so that pods with and without a sidecar reach each other. Jobs, bare pods and what
	// opted out of restarts are waited for in both. Default: Wait.
	// +optional
	Sidecars *SidecarRemoval `json:"sidecars,omitempty"`
}

// SidecarRemoval says who takes the sidecars out of workloads.
// +kubebuilder:validation:Enum=Wait;Restart
type SidecarRemoval string

// The ways to take sidecars out.
const (
	SidecarsWait    SidecarRemoval = "Wait"
	SidecarsRestart SidecarRemoval = "Restart"
)

// RemovalStatus is how far the removal of a mesh is.
type RemovalStatus struct {
	// phase is WaitingForSidecars, Opening, Transparent, InjectionOff, Restarting or Deleting.
	Phase string `json:"phase"`

	// since is when the phase began.
	Since metav1.Time `json:"since"`

	// sidecars is how many pods still have a sidecar.
	Sidecars int32 `json:"sidecars"`

	// message says what the phase does or waits for.
	// +optional
	Message string `json:"message,omitempty"`
}

// The phases of a removal. Opening, Transparent, InjectionOff and Restarting exist only with spec.removal.sidecars Restart.
const (
	// RemovalWaiting: people are to take the sidecars out.
	RemovalWaiting = "WaitingForSidecars"
	// RemovalOpening: sidecars learn to take connections from pods without one.
	RemovalOpening = "Opening"
	// RemovalTransparent: sidecars learn to send everything unchanged to where it was going.
	RemovalTransparent = "Transparent"
	// RemovalInjectionOff: new pods get no sidecar any more.
	RemovalInjectionOff = "InjectionOff"
	// RemovalRestarting: workloads are restarted.
	RemovalRestarting = "Restarting"
	// RemovalDeleting: no sidecar is left, and what the mesh consists of is deleted.
	RemovalDeleting = "Deleting"
)
