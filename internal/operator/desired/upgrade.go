package desired

import (
	"time"

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
	return rollout.Bounds{
		Soak: gates.Soak.ValueOr(v1alpha1.DefaultSoak), Timeout: gates.Timeout.ValueOr(v1alpha1.DefaultStepTimeout),
		MaxErrorRateIncrease: ptr.Deref(gates.MaxErrorRateIncrease, v1alpha1.DefaultMaxErrorRateIncrease).Share(),
		MaxRejected:          int(ptr.Deref(gates.MaxRejectedConfigs, 0)),
		MaxDisconnected:      ptr.Deref(gates.MaxDisconnected, intstr.FromString(v1alpha1.DefaultMaxDisconnected)),
		MaxRestarts:          int(ptr.Deref(gates.MaxRestarts, v1alpha1.DefaultMaxRestarts)),
	}
}

// Limits are the limits of restarts, with defaults applied.
func Limits(mesh *v1alpha1.Mesh) rollout.Limits {
	_, _, plane := UpgradeSettings(mesh)
	restart := ptr.Deref(plane.Restart, v1alpha1.RestartRolling)
	return rollout.Limits{
		MaxUnavailable: ptr.Deref(plane.MaxUnavailable, intstr.FromString(v1alpha1.DefaultMaxUnavailable)),
		MaxConcurrent:  int(ptr.Deref(plane.MaxConcurrentRestarts, v1alpha1.DefaultMaxConcurrentRestarts)),
		Concurrent:     plane.MaxConcurrent,
		Pause:          plane.PauseBetween.ValueOr(v1alpha1.DefaultPauseBetween),
		Manual:         restart == v1alpha1.RestartManual,
		InPlace:        restart == v1alpha1.RestartInPlace,
		Timeout:        Bounds(mesh).Timeout,
		DrainTimeout:   DrainTimeout(mesh),
	}
}

// Pull returns whether nodes pull the image of sidecars before their pods get it, and how many at the same time.
func Pull(mesh *v1alpha1.Mesh) (ahead bool, parallelism int) {
	_, _, plane := UpgradeSettings(mesh)
	pull := ptr.Deref(plane.Pull, v1alpha1.PullSpec{})
	return ptr.Deref(pull.Mode, v1alpha1.DefaultPullMode) != v1alpha1.PullOff, int(ptr.Deref(pull.Parallelism, v1alpha1.DefaultPullParallelism))
}

// DrainTimeout returns how long the sidecar that another one replaces in its pod serves open connections.
func DrainTimeout(mesh *v1alpha1.Mesh) time.Duration {
	return ptr.Deref(mesh.Spec.Sidecar, v1alpha1.SidecarSpec{}).DrainTimeout.ValueOr(v1alpha1.DefaultDrainTimeout)
}

// Destination names what an upgrade leads to, in a sentence: a version, or a MeshRevision of the same version if only what new pods get has changed.
func Destination(u *v1alpha1.UpgradeStatus) string {
	if changesSidecarsOnly(u) {
		return DestinationName(u)
	}
	return "version " + u.To
}

// DestinationName is Destination after the name of another version: "v0.5.0 to v0.6.0".
func DestinationName(u *v1alpha1.UpgradeStatus) string {
	if changesSidecarsOnly(u) {
		return "MeshRevision " + u.Revision
	}
	return u.To
}

// changesSidecarsOnly reports whether the version stays in an upgrade.
func changesSidecarsOnly(u *v1alpha1.UpgradeStatus) bool {
	return u.From != "" && u.From == u.To && u.Revision != ""
}
