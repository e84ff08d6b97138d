package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// UpgradeStrategy is the way from one version of the control plane to the next.
// +kubebuilder:validation:Enum=InPlace;Canary
type UpgradeStrategy string

// The strategies.
const (
	// StrategyInPlace replaces the control plane of the whole mesh, then restarts workloads in waves.
	StrategyInPlace UpgradeStrategy = "InPlace"
	// StrategyCanary runs the new control plane beside the old one for some namespaces first, and replaces the old one when all gates
	// have passed there.
	StrategyCanary UpgradeStrategy = "Canary"
)

// CanarySpec says who gets a new version first.
type CanarySpec struct {
	// namespaces selects, by their labels, the namespaces of the mesh that move first. An empty selector is refused: that would be all.
	// +required
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)",message="spec.upgrade.canary.namespaces is empty, which would be every namespace of the mesh: select the first ones by a label, for example matchLabels: {kubernetes.io/metadata.name: shop}, or use the strategy InPlace"
	Namespaces metav1.LabelSelector `json:"namespaces"`
}
