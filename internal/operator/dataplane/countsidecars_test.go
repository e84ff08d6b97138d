package dataplane

import (
	"maps"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// The status of a mesh has the sum of all workloads, without revisions that no sidecar has any more.
func TestCountSidecars(t *testing.T) {
	in := func(namespace string, sidecars map[string]int) rollout.Workload {
		return rollout.Workload{Ref: rollout.Ref{Kind: "Deployment", Namespace: namespace, Name: "web"}, Sidecars: sidecars}
	}
	workloads := []rollout.Workload{in("a", map[string]int{"old": 2, "new": 1, "gone": 0}), in("b", map[string]int{"old": 3})}
	desired := map[string]string{"a": "new", "b": "old"}
	byRevision, outdated := CountSidecars(workloads, rollout.Limits{}, func(namespace string) string { return desired[namespace] })
	if want := map[string]int{"old": 5, "new": 1}; !maps.Equal(byRevision, want) || outdated != 2 {
		t.Errorf("there are %v sidecars, %d outdated, want %v and 2", byRevision, outdated, want)
	}
}
