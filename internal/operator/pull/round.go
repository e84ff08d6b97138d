package pull

import (
	"fmt"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

const (
	// ahead is how many nodes of later waves may have the image, as a multiple of those that pull at the same time. Their pods count for quotas, and for
	// the pods that a node may have.
	ahead = 10
	// quorum is how many nodes show that the Envoy of an image does not run, while others may still show that it does.
	quorum = 3
)

// Request is an image, and the nodes that need it.
type Request struct {
	Image
	rollout.Demand
	// Parallelism is how many nodes may pull at the same time.
	Parallelism int
}

// round is what is known about the nodes of a request at a time.
type round struct {
	Request
	// ready has the nodes on which images can be pulled, and whether each is ready.
	ready map[string]bool
	// attempts are by node.
	attempts map[string]attempt
	now      time.Time
}

// candidates are all nodes of the request that are ready.
func (r round) candidates() []string {
	return slices.DeleteFunc(slices.Concat(r.Now, r.Later), func(node string) bool { return !r.ready[node] })
}

// next returns the nodes to ask now: those of the present wave, a bounded number of later ones, and those whose pods could not be created, the earliest first.
func (r round) next() []string {
	var next, later, again []string
	holding := 0
	for i, node := range slices.Concat(r.Now, r.Later) {
		isLater := i >= len(r.Now)
		switch a := r.attempts[node]; {
		case !r.ready[node]:
		case a.state == rejected && r.now.Sub(a.tried) >= poll:
			again = append(again, node)
		case a.state == unasked && isLater:
			later = append(later, node)
		case a.state == unasked:
			next = append(next, node)
		case isLater && (a.state == asked || a.state == pulled):
			holding++
		}
	}
	slices.SortStableFunc(again, func(a, b string) int { return r.attempts[a].tried.Compare(r.attempts[b].tried) })
	later = later[:min(len(later), max(0, ahead*r.Parallelism-holding))]
	next = slices.Concat(next, later, again)
	return next[:min(len(next), r.room())]
}

// room is how many more nodes may be asked now. Late nodes try again rarely. They take at most half of the places, so that they do not hold up the others.
func (r round) room() int {
	inTime, late := 0, 0
	for _, node := range r.candidates() {
		switch a := r.attempts[node]; {
		case a.state == asked && !a.isLate:
			inTime++
		case a.state == asked && a.loads:
			late++
		}
	}
	room := r.Parallelism - inTime - min(late, r.Parallelism/2)
	if inTime == 0 {
		return max(room, 1)
	}
	return max(room, 0)
}

// isMoving reports whether nodes that pull are waited for.
func (r round) isMoving() bool {
	return slices.ContainsFunc(r.candidates(), func(node string) bool {
		a := r.attempts[node]
		return (a.state == asked || a.state == failed) && !a.isLate
	})
}

// result returns which nodes have the image, and why others are not waited for.
func (r round) result() rollout.Pulled {
	result := rollout.Pulled{Nodes: rollout.Nodes{}, Late: map[string]string{}}
	for _, node := range slices.Concat(r.Now, r.Later) {
		isReady, canPull := r.ready[node]
		switch a := r.attempts[node]; {
		case a.state == pulled:
			result.Nodes[node] = true
		case !canPull:
			result.Late[node] = "no image can be pulled there: the node is gone, does not run Linux, or is one of a virtual kubelet"
		case !isReady:
			result.Late[node] = "the node is not ready"
		case a.isLate || a.isDenied:
			result.Late[node] = a.reason
		}
	}
	return result
}

// unusable is why the Envoy of the image runs nowhere; empty if it does somewhere, and while that is possible. One node may be broken, so it decides only if
// there is no other one.
func (r round) unusable() string {
	if r.HasRun {
		return ""
	}
	for _, a := range r.attempts {
		if a.state == pulled {
			return ""
		}
	}
	var broken []string
	isOpen := false
	for _, node := range r.candidates() {
		a := r.attempts[node]
		if a.state == failed {
			broken = append(broken, node)
		}
		isOpen = isOpen || a.state != failed && !a.isLate
	}
	if len(broken) == 0 || isOpen && len(broken) < quorum {
		return ""
	}
	return fmt.Sprintf("the Envoy of the image %s does not run: `%s --version` ended with the exit code %d on the node %s, and has run on none (nodes on which it does not run: %d)",
		r.Reference, envoyProgram, r.attempts[broken[0]].exitCode, broken[0], len(broken))
}
