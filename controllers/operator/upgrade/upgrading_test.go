package upgrade

import (
	"testing"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// TestUpgradingHasAReasonForEachMeaning checks that a reason tells why a mesh moves, or does not.
func TestUpgradingHasAReasonForEachMeaning(t *testing.T) {
	seen := map[string]string{}
	for name, test := range map[string]struct {
		plan   rollout.Plan
		state  conditions.State
		reason string
	}{
		"the first version":  {rollout.Plan{Phase: rollout.Installing}, conditions.Failing, v1alpha1.ReasonInstalling},
		"an upgrade":         {rollout.Plan{Phase: rollout.Workloads}, conditions.Ready, v1alpha1.ReasonUpgrading},
		"a rollback":         {rollout.Plan{Phase: rollout.RollingBack}, conditions.Ready, v1alpha1.ReasonRollingBack},
		"after a rollback":   {rollout.Plan{Phase: rollout.RolledBack}, conditions.Failing, v1alpha1.ReasonRolledBack},
		"a failed gate":      {rollout.Plan{Phase: rollout.Halted}, conditions.Failing, v1alpha1.ReasonUpgradeHalted},
		"no canary possible": {rollout.Plan{Phase: rollout.Halted, CanaryBlocked: true}, conditions.Failing, v1alpha1.ReasonCanaryBlocked},
	} {
		state, reason, _ := assessUpgrade(test.plan, &v1alpha1.UpgradeStatus{From: "v0.1.0", To: "v0.2.0"})
		if state != test.state || reason != test.reason {
			t.Errorf("%s: state %v with the reason %s, want %v with %s", name, state, reason, test.state, test.reason)
		}
		if other, twice := seen[reason]; twice {
			t.Errorf("%s and %s have the reason %s", name, other, reason)
		}
		seen[reason] = name
	}
}
