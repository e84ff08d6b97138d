package plan

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// TestRestartsWithoutAnyPodAreWarnedOf has a workload in a wave whose pods all end before new ones start.
func TestRestartsWithoutAnyPodAreWarnedOf(t *testing.T) {
	gentle, abrupt := rollout.Ref{Kind: "Deployment", Namespace: "shop", Name: "cart"}, rollout.Ref{Kind: "Deployment", Namespace: "shop", Name: "till"}
	atOnce := replacedAtOnce([]rollout.Workload{{Ref: gentle}, {Ref: abrupt, AtOnce: true}})
	for _, r := range plannedWorkloads(&simulated{waves: [][]rollout.Ref{{gentle}, {abrupt}}, atOnce: atOnce}).Restarts {
		if warned := r.Warning == atOnceWarning; warned != (r.Workload == abrupt.String()) {
			t.Errorf("%s has the warning %q", r.Workload, r.Warning)
		}
	}
}
