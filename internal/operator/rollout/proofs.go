package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// pullKey are the credentials with which a pod pulls: the names of its pull secrets, which are those of its namespace.
type pullKey struct{ namespace, secrets string }

// proofs are what is known about pulls of an image. A node that has the image, and whose Envoy runs, proves that for the node. That a pod may use the image is
// proven by the first pod with the same pull secrets in the namespace, because nobody else has its credentials.
type proofs struct {
	target SlotTarget
	// needsSecrets is true if the nodes prove nothing for pods without pull secrets.
	needsSecrets bool
	// started have a pod that has started with the image, and trying one that is about to. failed name a pod that could not start.
	started, trying map[pullKey]bool
	failed          map[pullKey]string
	// needs are the nodes of pods that are to be changed, and have not begun to serve with the image. hasRun is true if a pod serves with it.
	needs  []string
	hasRun bool
}

// newProofs reads the proofs for a target from the pods that have its image, or had it.
func newProofs(workloads []Workload, target string, limits Limits, now time.Time) *proofs {
	p := &proofs{
		target: limits.Slots[target], needsSecrets: limits.Unproven,
		started: map[pullKey]bool{}, trying: map[pullKey]bool{}, failed: map[pullKey]string{},
	}
	for _, load := range workloads {
		for _, pod := range load.Slotted {
			switch key := pod.pullKey(); {
			case pod.hasRun(p.target.Image):
				p.started[key] = true
			case pod.failsToStart(p.target.Image, now):
				p.failed[key] = pod.Pod
			case pod.isPatchedFor(p.target, limits) && pod.isBegun(p.target.Image):
				p.trying[key] = true
			}
			serving, _, known := pod.serving()
			p.hasRun = p.hasRun || known && serving.Image == p.target.Image
		}
		p.needs = append(p.needs, load.needs(target, limits, now)...)
	}
	return p
}

// needs returns the nodes of the pods of the workload that are to get the image of a target in place.
func (w Workload) needs(target string, limits Limits, now time.Time) []string {
	restart, outdated := w.Outdated(target, limits)
	if limits.Manual || w.OptedOut || restart > 0 || limits.Include != nil && !limits.Include(w) {
		return nil
	}
	var nodes []string
	for _, pod := range outdated {
		if state := pod.Next(limits.Slots[target].Image, now).State; state != Fails && state != Stays {
			nodes = append(nodes, pod.Node)
		}
	}
	return nodes
}

func (p SlottedPod) pullKey() pullKey { return pullKey{p.Namespace, p.PullSecrets} }

// hasRun reports whether a container of the pod has started with an image. One whose image has just changed still seems to run.
func (p SlottedPod) hasRun(image string) bool {
	return slices.ContainsFunc(p.Slots[:], func(s Slot) bool {
		return s.Image == image && !s.Started.IsZero() && (p.Patched.IsZero() || p.hasStarted(s) || p.hasImage(image))
	})
}

// isProven reports whether pods with these credentials can pull the image, as far as the nodes can.
func (p *proofs) isProven(key pullKey) bool {
	return p.started[key] || key.secrets == "" && !p.needsSecrets
}

// hasNode reports whether a node has the image, or nobody has asked yet.
func (p *proofs) hasNode(node string) bool {
	return p.target.Nodes == nil || p.target.Nodes[node]
}

// missing is why a pod does not get the image, and is not waited for; empty if it may get it. ofNode is true if its node is the reason.
func (p *proofs) missing(pod SlottedPod) (reason string, ofNode bool) {
	late := p.target.Late[pod.Node]
	switch other := p.failed[pod.pullKey()]; {
	case !p.hasNode(pod.Node) && late != "":
		return fmt.Sprintf("%s waits for its node %s: %s", pod.Pod, pod.Node, late), true
	case other != "" && !p.isProven(pod.pullKey()):
		return fmt.Sprintf("%s waits: %s has the same pull secrets (%s), and could not start with the image %s", pod.Pod, other, cmp.Or(pod.PullSecrets, "none"), p.target.Image), false
	}
	return "", false
}

// admit returns the patches to make now. As long as nothing is proven for the credentials of a pod, it is the only one with them.
func (p *proofs) admit(patches []PodPatch) []PodPatch {
	return slices.DeleteFunc(slices.Clone(patches), func(patch PodPatch) bool {
		key := pullKey{patch.Namespace, patch.PullSecrets}
		if patch.Declared != p.target.Image || p.isProven(key) {
			return false
		}
		isSecond := p.trying[key]
		p.trying[key] = true
		return isSecond
	})
}

// compare orders workloads of a namespace: as long as a pod has to be the first one with its pull secrets, it is one of the largest workload, whose other
// pods serve if it does not start.
func (p *proofs) compare(a, b Workload) int {
	unproven := func(w Workload) bool {
		return slices.ContainsFunc(w.Slotted, func(pod SlottedPod) bool { return !p.isProven(pod.pullKey()) })
	}
	if !unproven(a) || !unproven(b) {
		return 0
	}
	return cmp.Compare(len(b.Slotted), len(a.Slotted))
}
