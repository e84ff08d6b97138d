package rollout

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// crashLoop is the problem of a container that starts and ends.
const crashLoop = "CrashLoopBackOff"

// ImageKey is a short text of fixed length for an image.
func ImageKey(image string) string {
	sum := sha256.Sum256([]byte(image))
	return hex.EncodeToString(sum[:8])
}

// TakeBacks returns the changes that give slots which do not start the image of the slot that runs, sorted by pod. The kubelet reports a pod as not ready
// while one of its sidecars does not run, although the other slot serves, so no limit and no gate delays them.
func TakeBacks(workloads []Workload, now time.Time) []PodPatch {
	var patches []PodPatch
	for _, load := range reachable(workloads) {
		for _, pod := range load.Slotted {
			if patch := pod.takeBack(now); patch != nil {
				patch.Workload = load.Ref
				patches = append(patches, *patch)
			}
		}
	}
	slices.SortFunc(patches, func(a, b PodPatch) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod))
	})
	return patches
}

// takeBack returns the change of a slot that does not start with its image; nil if there is none. The image of the other slot is on the node, because it runs.
func (p SlottedPod) takeBack(now time.Time) *PodPatch {
	for i, slot := range p.Slots {
		if running := p.Slots[1-i]; p.Fixed == "" && slot.Image != running.Image && p.cannotStart(slot, running, now) {
			return &PodPatch{
				Namespace: p.Namespace, Pod: p.Pod, UID: p.UID, Node: p.Node, PullSecrets: p.PullSecrets, Slot: slot.Name,
				Image: cmp.Or(running.Text, running.Image), Declared: running.Image, TakesBack: slot.Image,
			}
		}
	}
	return nil
}

// cannotStart reports whether a slot does not start with its image, while the other one runs. The kubelet reports why, or the container has not
// started for too long after the change. A slot that has run may have the role, so it must be known that the other one serves: all containers start
// again with the node.
func (p SlottedPod) cannotStart(slot, running Slot, now time.Time) bool {
	switch {
	case running.Started.IsZero() || slot.Role == report.Serving || slot.Role == report.Draining:
		return false
	case running.Role != report.Serving:
		return slot.Problem != "" && slot.Problem != crashLoop && !p.hasStarted(running)
	case slot.Problem != "":
		return true
	}
	return p.isPatched(running, slot) && now.Sub(p.Patched) >= slot.startTimeout()
}

// startTimeout is how long a slot may take to start with another image while the kubelet reports no problem.
func (s Slot) startTimeout() time.Duration {
	if s.Ended {
		return restartTimeout
	}
	return handoverTimeout
}

// comesBack is the step of a pod with a slot that gets its earlier image back.
func (p SlottedPod) comesBack(image string, now time.Time) Step {
	patch := p.takeBack(now)
	if patch.TakesBack != image {
		return Step{State: Proceeds, Reason: fmt.Sprintf("the slot %s of %s gets the image back that serves", patch.Slot, p.Pod)}
	}
	var problem string
	for _, slot := range p.Slots {
		if slot.Name == patch.Slot {
			problem = cmp.Or(slot.Problem, fmt.Sprintf("it has not started within %s", slot.startTimeout()))
		}
	}
	return Step{State: Fails, Reason: fmt.Sprintf("the container of the slot %s of %s cannot start with the image %s: %s", patch.Slot, p.Pod, image, problem)}
}

// isTakenBack reports whether a slot of the pod could not start with an image, and has its earlier one since.
func (p SlottedPod) isTakenBack(image string) bool {
	return p.TakenBack != "" && p.TakenBack == ImageKey(image)
}

func (p SlottedPod) takenBackText(image string) string {
	return fmt.Sprintf("a slot of %s could not start with the image %s, and has got its earlier one back: the pod gets another image, or the same after it is replaced", p.Pod, image)
}

// failsToStart reports whether a slot of the pod does not start with an image, or has not started with it before.
func (p SlottedPod) failsToStart(image string, now time.Time) bool {
	if p.hasImage(image) {
		return false
	}
	patch := p.takeBack(now)
	return p.isTakenBack(image) || patch != nil && patch.TakesBack == image
}

// stoppedNamespaces returns why no further pod of a namespace is changed for a target, by namespace: slots of more than one in share of its changed pods did
// not start. This bound is that of the namespace itself, however many sidecars have taken over elsewhere.
func stoppedNamespaces(workloads []Workload, target string, limits Limits, now time.Time) map[string]string {
	image, begun, failed, stopped := limits.Slots[target], map[string]int{}, map[string]int{}, map[string]string{}
	for _, load := range workloads {
		for _, pod := range load.Slotted {
			fails := pod.failsToStart(image.Image, now)
			if !pod.isPatchedFor(image, limits) || !fails && !pod.isBegun(image.Image) {
				continue
			}
			begun[pod.Namespace]++
			if fails {
				failed[pod.Namespace]++
			}
		}
	}
	for namespace, n := range failed {
		if n*share > begun[namespace] {
			stopped[namespace] = fmt.Sprintf("no further sidecar of the namespace is upgraded in place: slots of %d of %d pods could not start with the image %s", n, begun[namespace], image.Image)
		}
	}
	return stopped
}
