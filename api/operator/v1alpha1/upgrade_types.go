package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// UpgradeSpec says how a mesh moves from one version to another, and back when the new one is not well.
//
// +kubebuilder:validation:XValidation:rule="!has(self.strategy) || self.strategy != 'Canary' || has(self.canary)",message="spec.upgrade.strategy Canary does not say who is first: select namespaces of the mesh in spec.upgrade.canary.namespaces, for example matchLabels: {kubernetes.io/metadata.name: shop}"
// +kubebuilder:validation:XValidation:rule="!has(self.canary) || (has(self.strategy) && self.strategy == 'Canary')",message="spec.upgrade.canary means nothing with the strategy InPlace, which moves all namespaces: remove it, or set spec.upgrade.strategy to Canary"
type UpgradeSpec struct {
	// strategy is InPlace, which replaces the control plane of the whole mesh, or Canary, which runs the new one beside it for some
	// namespaces first. The first installation has nothing to run beside. Default: InPlace.
	// +optional
	Strategy *UpgradeStrategy `json:"strategy,omitempty"`

	// canary says who is first. It is required with the strategy Canary, and refused with InPlace.
	// +optional
	Canary *CanarySpec `json:"canary,omitempty"`

	// gates are what must be well before an upgrade goes on.
	// +optional
	Gates *GatesSpec `json:"gates,omitempty"`

	// rollback is Automatic, which returns to the last good version as soon as a gate fails, or Manual, which stops there.
	// Default: Automatic.
	// +optional
	Rollback *RollbackMode `json:"rollback,omitempty"`

	// dataPlane is about workloads whose sidecars are of another version than the control plane.
	// +optional
	DataPlane *DataPlaneSpec `json:"dataPlane,omitempty"`
}

// RollbackMode says who returns to the last good version.
// +kubebuilder:validation:Enum=Automatic;Manual
type RollbackMode string

// The ways to roll back.
const (
	RollbackAutomatic RollbackMode = "Automatic"
	RollbackManual    RollbackMode = "Manual"
)

// GatesSpec is what must be well. What cannot be observed is not well.
type GatesSpec struct {
	// soak is how long everything must be well after each step. Default: 5m.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$')",messageExpression="'spec.upgrade.gates.soak \"' + self + '\" is not a duration: write a number with a unit, for example 5m'"
	Soak *metav1.Duration `json:"soak,omitempty"`

	// timeout is how long a step may take to become well before it has failed. Default: 10m.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$')",messageExpression="'spec.upgrade.gates.timeout \"' + self + '\" is not a duration: write a number with a unit, for example 10m'"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') || duration(self) >= duration('10s')",messageExpression="'spec.upgrade.gates.timeout ' + self + ' is too short for a pod to start: use at least 10s'"
	Timeout *metav1.Duration `json:"timeout,omitempty"`

	// maxErrorRateIncrease is by how much the share of requests that fail may grow, in points of a percentage. Default: 1%.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,3}([.][0-9]{1,4})?%$')",messageExpression="'spec.upgrade.gates.maxErrorRateIncrease \"' + self + '\" is not a percentage: write for example 1% or 0.5%'"
	MaxErrorRateIncrease *string `json:"maxErrorRateIncrease,omitempty"`

	// maxRejectedConfigs is how many sidecars may reject their configuration. Default: 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxRejectedConfigs *int32 `json:"maxRejectedConfigs,omitempty"`

	// maxRestarts is how often containers of the new control plane may be restarted. Default: 2.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxRestarts *int32 `json:"maxRestarts,omitempty"`

	// prometheus is asked how many requests fail as well; the increase is bounded by maxErrorRateIncrease. Default: none is asked.
	// +optional
	Prometheus *PrometheusSpec `json:"prometheus,omitempty"`
}

// DataPlaneSpec is about workloads with outdated sidecars.
type DataPlaneSpec struct {
	// restart is Rolling, which restarts Deployments, StatefulSets and DaemonSets with outdated sidecars in waves, or Manual,
	// which only says which they are. Workloads and namespaces with the label operator.openservicemesh.io/restart: disabled are
	// never restarted. Default: Rolling.
	// +optional
	Restart *RestartMode `json:"restart,omitempty"`

	// maxUnavailable is how many workloads of one namespace may be restarting or not ready at the same time: a number, or a
	// percentage of the namespace's workloads, rounded up. Default: 25%.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 : string(self).matches('^([1-9]|[1-9][0-9]|100)%$')",messageExpression="'spec.upgrade.dataPlane.maxUnavailable ' + string(self) + ' would never restart anything, or is no percentage: write a number from 1 on, or 1% to 100%'"
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// pauseBetween is how long a namespace rests after one of its workloads has become ready again. Default: 30s.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$')",messageExpression="'spec.upgrade.dataPlane.pauseBetween \"' + self + '\" is not a duration: write a number with a unit, for example 30s'"
	PauseBetween *metav1.Duration `json:"pauseBetween,omitempty"`
}

// RestartMode says who restarts workloads with outdated sidecars.
// +kubebuilder:validation:Enum=Rolling;Manual
type RestartMode string

// The ways to restart.
const (
	RestartRolling RestartMode = "Rolling"
	RestartManual  RestartMode = "Manual"
)
