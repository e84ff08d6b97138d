package observe

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// UpgradeSettings is what a Mesh declares about upgrades, with nothing nil in between.
func UpgradeSettings(mesh *v1alpha1.Mesh) (v1alpha1.UpgradeSpec, v1alpha1.GatesSpec, v1alpha1.DataPlaneSpec) {
	upgrade := ptr.Deref(mesh.Spec.Upgrade, v1alpha1.UpgradeSpec{})
	return upgrade, ptr.Deref(upgrade.Gates, v1alpha1.GatesSpec{}), ptr.Deref(upgrade.DataPlane, v1alpha1.DataPlaneSpec{})
}

// Strategy is how the mesh moves to its next version, with the default applied.
func Strategy(mesh *v1alpha1.Mesh) v1alpha1.UpgradeStrategyType {
	upgrade, _, _ := UpgradeSettings(mesh)
	return ptr.Deref(ptr.Deref(upgrade.Strategy, v1alpha1.UpgradeStrategy{}).Type, v1alpha1.DefaultStrategy)
}

// Bounds are the bounds of the gates, with defaults applied.
func Bounds(mesh *v1alpha1.Mesh) rollout.Bounds {
	_, gates, _ := UpgradeSettings(mesh)
	b := rollout.Bounds{
		Soak: v1alpha1.DefaultSoak, Timeout: v1alpha1.DefaultStepTimeout,
		MaxErrorRateIncrease: Share(ptr.Deref(gates.MaxErrorRateIncrease, v1alpha1.DefaultMaxErrorRateIncrease)),
		MaxRejected:          int(ptr.Deref(gates.MaxRejectedConfigs, 0)),
		MaxRestarts:          int(ptr.Deref(gates.MaxRestarts, v1alpha1.DefaultMaxRestarts)),
	}
	if gates.Soak != nil {
		b.Soak = gates.Soak.Duration
	}
	if gates.Timeout != nil {
		b.Timeout = gates.Timeout.Duration
	}
	return b
}

// Limits are the limits of restarts, with defaults applied.
func Limits(mesh *v1alpha1.Mesh) rollout.Limits {
	_, _, plane := UpgradeSettings(mesh)
	l := rollout.Limits{
		MaxUnavailable: ptr.Deref(plane.MaxUnavailable, intstr.FromString(v1alpha1.DefaultMaxUnavailable)),
		MaxConcurrent:  int(ptr.Deref(plane.MaxConcurrentRestarts, v1alpha1.DefaultMaxConcurrentRestarts)),
		Pause:          v1alpha1.DefaultPauseBetween,
		Manual:         ptr.Deref(plane.Restart, v1alpha1.RestartRolling) == v1alpha1.RestartManual,
	}
	if plane.PauseBetween != nil {
		l.Pause = plane.PauseBetween.Duration
	}
	return l
}

// Share reads a percentage such as "0.5%" as a part of one. The API server has checked its form; anything else is 0, the strictest.
func Share(percentage string) float64 {
	value, err := strconv.ParseFloat(strings.TrimSuffix(percentage, "%"), 64)
	if err != nil {
		return 0
	}
	return value / 100
}

// Percentage writes a part of one as Share reads it.
func Percentage(share float64) string { return strconv.FormatFloat(100*share, 'f', 4, 64) + "%" }
