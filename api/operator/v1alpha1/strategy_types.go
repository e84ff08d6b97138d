package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// UpgradeStrategy configures the way from one version of the control plane to the next.
//
// +kubebuilder:validation:XValidation:rule="!has(self.type) || self.type != 'Canary' || has(self.canary)",message="spec.upgrade.strategy.type Canary needs spec.upgrade.strategy.canary: select the namespaces that upgrade first in canary.namespaceSelector, for example matchLabels: {kubernetes.io/metadata.name: shop}"
// +kubebuilder:validation:XValidation:rule="!has(self.canary) || (has(self.type) && self.type == 'Canary')",message="spec.upgrade.strategy.canary has no effect with type InPlace, which upgrades all namespaces: remove it, or set spec.upgrade.strategy.type to Canary"
type UpgradeStrategy struct {
	// type is InPlace or Canary. InPlace replaces the control plane of the whole mesh. Canary first runs the new control plane next
	// to the active one, for some namespaces. The first installation is always InPlace. Default: InPlace.
	// +optional
	Type *UpgradeStrategyType `json:"type,omitempty"`

	// canary selects the namespaces that upgrade first. It is required with type Canary, and rejected with InPlace.
	// +optional
	Canary *CanarySpec `json:"canary,omitempty"`
}

// UpgradeStrategyType is InPlace or Canary.
// +kubebuilder:validation:Enum=InPlace;Canary
type UpgradeStrategyType string

// The types of upgrade strategies.
const (
	// StrategyInPlace replaces the control plane of the whole mesh, then restarts workloads in waves.
	StrategyInPlace UpgradeStrategyType = "InPlace"
	// StrategyCanary runs the new control plane next to the active one for some namespaces. When all gates pass there, the new
	// control plane replaces the active one.
	StrategyCanary UpgradeStrategyType = "Canary"
)

// CanarySpec selects who gets a new version first.
type CanarySpec struct {
	// namespaceSelector selects, by their labels, the namespaces of the mesh that upgrade first. An empty selector is rejected, because it
	// would select all of them.
	// +required
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)",message="spec.upgrade.strategy.canary.namespaceSelector is empty, which selects every namespace of the mesh: select the first ones by a label, for example matchLabels: {kubernetes.io/metadata.name: shop}, or use the strategy InPlace"
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
}
