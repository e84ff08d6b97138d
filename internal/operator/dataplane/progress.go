package dataplane

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// progress is how far the last rollout of a workload is, by its own object.
type progress struct {
	// complete is true when nothing keeps the rollout from being complete, except for pods that are behind or unavailable.
	complete bool
	// desired counts its pods, behind those with an earlier template, and unavailable those that are not ready.
	desired, behind, unavailable int
}

// isDone reports whether the rollout is complete. Pods on lost nodes are not waited for, and neither are the few that a workload may have.
func (p progress) isDone(lost int) bool {
	return p.complete && p.behind <= lost && p.unavailable <= lost+rollout.Tolerated(p.desired-lost)
}

// podCounts counts the pods of a workload: all, those on nodes that are not ready, and those on other nodes that are not ready themselves.
type podCounts struct{ all, unready, lost int }

// with adds a pod.
func (c podCounts) with(pod *corev1.Pod, lostNodes map[string]bool) podCounts {
	ready, _ := readiness(pod)
	c.all++
	switch {
	case lostNodes[pod.Spec.NodeName]:
		c.lost++
	case !ready:
		c.unready++
	}
	return c
}

// areReady reports whether at most as many pods as tolerated are not ready.
func (c podCounts) areReady() bool { return c.unready <= rollout.Tolerated(c.all-c.lost) }

// assess decides whether a workload is ready, and otherwise whether its controller holds it up.
func (o observation) assess(w *rollout.Workload, pods podCounts) {
	state, known := o.states[w.Ref]
	if !known {
		// Without its object, a workload that can be restarted was deleted before its pods, or the cache does not have it yet.
		w.Ready = !w.Ref.Restartable() && pods.areReady()
		return
	}
	isDone := state.isDone(pods.lost)
	w.Ready = isDone && pods.areReady()
	if !isDone {
		w.Unobserved = state.unobserved
		if pods.areReady() {
			w.Held = state.heldReason()
		}
	}
}
