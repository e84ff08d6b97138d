package rollout

import (
	"maps"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// tolerance is the share of the pods of a workload that need not be ready: one in tolerance, rounded down. A large workload always has one that is not.
const tolerance = 10

// Tolerated is how many of so many pods of a workload may be not ready without keeping the others from being upgraded.
func Tolerated(pods int) int { return pods / tolerance }

// reachable returns workloads without the sidecars on nodes that are not ready. They cannot be changed, and must not keep the others from it.
func reachable(workloads []Workload) []Workload {
	return lists.Map(workloads, Workload.reachable)
}

func (w Workload) reachable() Workload {
	if len(w.Lost) == 0 {
		return w
	}
	w.Sidecars = maps.Clone(w.Sidecars)
	for revision, n := range w.Lost {
		w.Sidecars[revision] -= n
	}
	w.Slotted = lists.Filter(w.Slotted, func(p SlottedPod) bool { return !p.Lost })
	return w
}
