package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BridgeSpec lets sidecars of Open Service Mesh v1.2 connect with the client certificates of their bootstraps, which the authority of the mesh has issued.
type BridgeSpec struct {
	// duration is how long they are served, counted from when the bridge was first opened. It is between 1m and 720h. A bridge that has ended opens again
	// only with a longer duration. Default: 72h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || duration(self) >= duration('1m') && duration(self) <= duration('720h')",messageExpression="'spec.adoption.bridge.duration is ' + self + ': use 1m to 720h'"
	Duration *Duration `json:"duration,omitempty"`
}

// Limits and default of how long sidecars of Open Service Mesh are served. The rule of BridgeSpec has the limits too.
const (
	DefaultBridgeDuration = 72 * time.Hour
	MinBridgeDuration     = time.Minute
	MaxBridgeDuration     = 720 * time.Hour
)

// BridgeStatus is the time in which sidecars of Open Service Mesh are served. It remains after that time.
type BridgeStatus struct {
	// openedTime is when the bridge was first opened.
	// +required
	OpenedTime metav1.Time `json:"openedTime,omitzero"`

	// closesTime is when the bridge ends.
	// +required
	ClosesTime metav1.Time `json:"closesTime,omitzero"`
}

// Reasons of ServingOSMSidecars.
const (
	// ReasonBridgeOpen means that workloads use sidecars of Open Service Mesh. The message has their number, some of them, and when the bridge ends.
	ReasonBridgeOpen = "BridgeOpen"
	// ReasonBridgeUnused means that the bridge is open and no workload has a sidecar of Open Service Mesh. Remove spec.adoption.bridge.
	ReasonBridgeUnused = "BridgeUnused"
	// ReasonBridgeClosed means that the time of the bridge is over. Restart the workloads that the message names, and remove spec.adoption.bridge.
	ReasonBridgeClosed = "BridgeClosed"
)
