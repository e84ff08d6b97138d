package takeover

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

func TestNameSidecars(t *testing.T) {
	none, both, other := rollout.Workload{}, rollout.Workload{Sidecars: map[string]int{"v1": 2, "v2": 3}}, rollout.Workload{Sidecars: map[string]int{"v2": 2}}
	got := nameSidecars([]rollout.Workload{none, both, other}, "v1", "v2")
	if got[0].Sidecars != nil || len(got[1].Sidecars) != 1 || got[1].Sidecars["v2"] != 5 || got[2].Sidecars["v2"] != 2 {
		t.Errorf("the sidecars are %v, %v and %v", got[0].Sidecars, got[1].Sidecars, got[2].Sidecars)
	}
	if both.Sidecars["v1"] != 2 {
		t.Errorf("the given workload has %v", both.Sidecars)
	}
}
