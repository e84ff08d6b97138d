package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// UpgradeSpec configures how a mesh moves from one version to another, and back if the new one fails its gates.
type UpgradeSpec struct {
	// strategy is the way to the next version. Default: type InPlace.
	// +optional
	Strategy *UpgradeStrategy `json:"strategy,omitempty"`

	// gates are checks that must pass before an upgrade continues.
	// +optional
	Gates *GatesSpec `json:"gates,omitempty"`

	// rollback is Automatic or Manual. Automatic returns to the last verified version as soon as a gate fails. Manual stops the
	// upgrade. Default: Automatic.
	// +optional
	Rollback *RollbackMode `json:"rollback,omitempty"`

	// attempt is any text. Another value tries a rejected version again, without any other change of the spec. Default: none.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Attempt *string `json:"attempt,omitempty"`

	// dataPlane configures how workloads with outdated sidecars are restarted.
	// +optional
	DataPlane *DataPlaneSpec `json:"dataPlane,omitempty"`
}

// RollbackMode decides who starts a rollback.
// +kubebuilder:validation:Enum=Automatic;Manual
type RollbackMode string

// The rollback modes.
const (
	// RollbackAutomatic starts a rollback as soon as a gate fails.
	RollbackAutomatic RollbackMode = "Automatic"
	// RollbackManual stops the upgrade when a gate fails.
	RollbackManual RollbackMode = "Manual"
)

// GatesSpec sets the bounds of the gates. A gate that cannot be observed has not passed.
type GatesSpec struct {
	// soak is how long all gates must pass after each step. Default: 5m.
	// +optional
	Soak *Duration `json:"soak,omitempty"`

	// timeout is how long a step may take to pass all gates before it fails. Default: 10m.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || duration(self) >= duration('10s')",messageExpression="'spec.upgrade.gates.timeout ' + self + ' is too short for a pod to start: use at least 10s'"
	Timeout *Duration `json:"timeout,omitempty"`

	// maxErrorRateIncrease is by how many percentage points the share of failed requests may grow. Default: 1%.
	// +optional
	MaxErrorRateIncrease *Percentage `json:"maxErrorRateIncrease,omitempty"`

	// maxRejectedConfigs is the number of sidecars that may reject their configuration. Default: 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxRejectedConfigs *int32 `json:"maxRejectedConfigs,omitempty"`

	// maxDisconnected is the number of running sidecars that may be without a connection to the new control plane, or their percentage of all,
	// rounded down. Sidecars that had none before the upgrade do not count. Default: 1%.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 : string(self).matches('^([0-9]|[1-9][0-9]|100)%$')",messageExpression="'spec.upgrade.gates.maxDisconnected ' + string(self) + ' is not a number or a percentage: write a number of at least 0, or 0% to 100%'"
	MaxDisconnected *intstr.IntOrString `json:"maxDisconnected,omitempty"`

	// maxRestarts is the number of container restarts that the new control plane may have. Default: 2.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxRestarts *int32 `json:"maxRestarts,omitempty"`

	// prometheus is queried for the share of failed requests as well. Its increase is bounded by maxErrorRateIncrease. Default: none.
	// +optional
	Prometheus *PrometheusSpec `json:"prometheus,omitempty"`
}

// DataPlaneSpec configures how sidecars are upgraded.
type DataPlaneSpec struct {
	// restart is Rolling, InPlace or Manual. Rolling restarts workloads with outdated sidecars in waves: Deployments, StatefulSets and DaemonSets,
	// and those of Argo Rollouts, OpenKruise and OpenShift. InPlace upgrades sidecars while their applications run, in the same waves: new pods
	// get two containers for Envoy, one of which is idle. Pods without them, and those that need more than another Envoy, are restarted. It
	// needs kubelets of version 1.32 or later: while a node has an older one, new pods get one container. Manual
	// only reports outdated sidecars. Workloads and namespaces with the label operator.openservicemesh.io/restart: disabled are left alone.
	// Default: Rolling.
	// +optional
	Restart *RestartMode `json:"restart,omitempty"`

	// maxUnavailable is the number of workloads of one namespace that may be restarting or unready at the same time. It is a number, or a
	// percentage of the namespace's workloads, rounded up. Default: 25%.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 : string(self).matches('^([1-9]|[1-9][0-9]|100)%$')",messageExpression="'spec.upgrade.dataPlane.maxUnavailable ' + string(self) + ' allows no restart or is not a percentage: write a number of at least 1, or 1% to 100%'"
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// maxConcurrentRestarts is the number of workloads of the whole mesh that may be restarting at the same time. Default: 10.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MaxConcurrentRestarts *int32 `json:"maxConcurrentRestarts,omitempty"`

	// maxConcurrent replaces maxConcurrentRestarts by a number, or by a percentage of the workloads with sidecars, rounded up.
	// Default: maxConcurrentRestarts.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 : string(self).matches('^([1-9]|[1-9][0-9]|100)%$')",messageExpression="'spec.upgrade.dataPlane.maxConcurrent ' + string(self) + ' allows no restart or is not a percentage: write a number of at least 1, or 1% to 100%'"
	MaxConcurrent *intstr.IntOrString `json:"maxConcurrent,omitempty"`

	// stages are namespaces in the order of their upgrade. A stage begins when nothing is left in the earlier ones that the operator can upgrade.
	// A namespace belongs to the first stage that selects it, and to the end without one. Default: all namespaces at the same time.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Stages []UpgradeStage `json:"stages,omitempty"`

	// pauseBetween is the time between a workload becoming ready again and the next restart in its namespace. Default: 30s.
	// +optional
	PauseBetween *Duration `json:"pauseBetween,omitempty"`

	// pull configures how nodes get the image of sidecars that are upgraded in place.
	// +optional
	Pull *PullSpec `json:"pull,omitempty"`
}

// UpgradeStage is some of the namespaces of a mesh.
type UpgradeStage struct {
	// name is the name of the stage in messages.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// namespaceSelector selects namespaces of the mesh by their labels.
	// +required
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
}

// PullSpec configures how nodes get the image of sidecars before the slots of running pods get it.
type PullSpec struct {
	// mode is Auto, or "Off" in quotation marks, because YAML reads Off as false. Auto lets each node with pods that are upgraded in place pull the
	// image and run its Envoy once, before its pods get it. Off pulls nothing ahead: a pod is not ready while its node pulls. Default: Auto.
	// +optional
	Mode *PullMode `json:"mode,omitempty"`

	// parallelism is the number of nodes that pull at the same time. Default: 10.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Parallelism *int32 `json:"parallelism,omitempty"`
}

// PullMode decides whether nodes pull the image of sidecars before their pods get it.
// +kubebuilder:validation:Enum=Auto;Off
type PullMode string

// The modes of pulls.
const (
	// PullAuto makes nodes pull an image before their pods get it.
	PullAuto PullMode = "Auto"
	// PullOff pulls nothing ahead.
	PullOff PullMode = "Off"
)

// RestartMode decides how workloads with outdated sidecars get new ones.
// +kubebuilder:validation:Enum=Rolling;InPlace;Manual
type RestartMode string

// The restart modes.
const (
	// RestartRolling makes the operator restart workloads in waves.
	RestartRolling RestartMode = "Rolling"
	// RestartInPlace makes the operator upgrade sidecars while their applications run, and restart workloads only where that is impossible.
	RestartInPlace RestartMode = "InPlace"
	// RestartManual leaves restarts to users.
	RestartManual RestartMode = "Manual"
)
