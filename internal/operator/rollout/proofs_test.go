package rollout

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// withSecrets gives pods pull secrets.
func withSecrets(w Workload, secrets string) Workload {
	for i := range w.Slotted {
		w.Slotted[i].PullSecrets = secrets
	}
	return w
}

// TestFirstPodProvesThePull has pods of several namespaces and pull secrets. Only one with the same ones in a namespace begins, until it has started.
func TestFirstPodProvesThePull(t *testing.T) {
	all := intstr.FromString("100%")
	for name, test := range map[string]struct {
		load             []Workload
		secretsOfMesh    bool
		patches          []string
		waiting, blocked []string
	}{
		"without secrets": {
			load: []Workload{slotted("a", "x", outdatedPod), slotted("a", "y", outdatedPod)}, patches: []string{"a/x-0", "a/y-0"},
		},
		"without secrets, and nodes pull with those of the mesh": {
			load: []Workload{slotted("a", "x", outdatedPod), slotted("a", "y", outdatedPod)}, secretsOfMesh: true, patches: []string{"a/x-0"}, waiting: []string{"y"},
		},
		"the same secrets": {
			load:    []Workload{withSecrets(slotted("a", "x", outdatedPod), "ecr"), withSecrets(slotted("a", "y", outdatedPod), "ecr")},
			patches: []string{"a/x-0"}, waiting: []string{"y"},
		},
		"a pod of the largest workload is the first": {
			load:    []Workload{withSecrets(slotted("a", "x", outdatedPod), "ecr"), withSecrets(slotted("a", "y", outdatedPod, outdatedPod, outdatedPod, outdatedPod, outdatedPod), "ecr")},
			patches: []string{"a/y-0"}, waiting: []string{"x"},
		},
		"other secrets": {
			load:    []Workload{withSecrets(slotted("a", "x", outdatedPod), "ecr"), withSecrets(slotted("a", "y", outdatedPod), "quay")},
			patches: []string{"a/x-0", "a/y-0"},
		},
		"secrets of other namespaces": {
			load:    []Workload{withSecrets(slotted("a", "x", outdatedPod), "ecr"), withSecrets(slotted("b", "y", outdatedPod), "ecr")},
			patches: []string{"a/x-0", "b/y-0"},
		},
		"the first one is about to start": {
			load:    []Workload{withSecrets(slotted("a", "x", handingOver), "ecr"), withSecrets(slotted("a", "y", outdatedPod), "ecr")},
			waiting: []string{"y"},
		},
		"the first one has taken over": {
			load:    []Workload{withSecrets(slotted("a", "x", donePod), "ecr"), withSecrets(slotted("a", "y", outdatedPod, outdatedPod, outdatedPod, outdatedPod, outdatedPod), "ecr")},
			patches: []string{"a/y-0", "a/y-1"},
		},
		"one of the same workload has taken over": {
			load:    []Workload{withSecrets(slotted("a", "y", donePod, outdatedPod, outdatedPod, outdatedPod, outdatedPod), "ecr")},
			patches: []string{"a/y-1", "a/y-2"},
		},
		"the first one cannot pull": {
			load:    []Workload{withSecrets(slotted("a", "x", pullingPod), "ecr"), withSecrets(slotted("a", "y", outdatedPod), "ecr")},
			blocked: []string{"x", "y"},
		},
		"the first one was taken back, and others have other secrets": {
			load: []Workload{
				withSecrets(slotted("a", "x", takenBackPod), "ecr"), withSecrets(slotted("a", "y", outdatedPod), "ecr"), withSecrets(slotted("a", "z", donePod, donePod, donePod, outdatedPod), "quay"),
			},
			patches: []string{"a/z-3"}, blocked: []string{"x", "y"},
		},
		"the only one with the secrets that failed is another one": {
			load:    []Workload{withSecrets(slotted("a", "x", donePod, donePod, donePod, takenBackPod), "ecr"), withSecrets(slotted("a", "y", outdatedPod), "ecr")},
			patches: []string{"a/y-0"}, blocked: []string{"x"},
		},
	} {
		limits := inPlace()
		limits.MaxUnavailable, limits.Unproven = all, test.secretsOfMesh
		wave := NextWave(test.load, "new", limits, noon)
		var patches []string
		for _, p := range wave.Patches {
			patches = append(patches, p.Namespace+"/"+p.Pod)
		}
		got := [][]string{patches, namesOfNotes(wave.Waiting), namesOfNotes(wave.Blocked)}
		if diff := cmp.Diff([][]string{test.patches, test.waiting, test.blocked}, got); diff != "" {
			t.Errorf("%s: patches, waiting, blocked (-want +got):\n%s", name, diff)
		}
	}
}

// onNodes puts the pods of a workload on nodes.
func onNodes(w Workload, nodes ...string) Workload {
	for i := range w.Slotted {
		w.Slotted[i].Node = nodes[i]
	}
	return w
}

// TestNodesWithoutTheImageHoldNothingUp has nodes of which only one has the image.
func TestNodesWithoutTheImageHoldNothingUp(t *testing.T) {
	for name, test := range map[string]struct {
		load    Workload
		overdue string
		patches []string
		blocked bool
		done    bool
	}{
		"in time, the pod of the node that has it is first": {load: onNodes(slotted("a", "x", outdatedPod, outdatedPod, outdatedPod), "far", "near", "far"), patches: []string{"a/x-1"}},
		"late, only that one begins":                        {load: onNodes(slotted("a", "x", outdatedPod, outdatedPod, outdatedPod), "far", "near", "far"), overdue: "late", patches: []string{"a/x-1"}},
		"late, and all wait":                                {load: onNodes(slotted("a", "x", outdatedPod, outdatedPod, outdatedPod), "far", "far", "far"), overdue: "late", blocked: true, done: true},
		"late, and the others are done":                     {load: onNodes(slotted("a", "x", donePod, outdatedPod), "near", "far"), overdue: "late", blocked: true, done: true},
	} {
		limits := inPlace()
		limits.Slots["new"] = SlotTarget{Image: newEnvoy, Level: "1", Pulled: Pulled{Nodes: Nodes{"near": true}, Late: map[string]string{"far": test.overdue}}}
		wave := NextWave([]Workload{test.load}, "new", limits, noon)
		var patches []string
		for _, p := range wave.Patches {
			patches = append(patches, p.Namespace+"/"+p.Pod)
		}
		if !slices.Equal(patches, test.patches) || wave.Done() != test.done || len(wave.Blocked) > 0 != test.blocked || wave.AwaitsNodes != (test.overdue != "") {
			t.Errorf("%s: %v, the wave is %+v", name, patches, wave)
		}
		if test.blocked && (!strings.Contains(fmt.Sprint(wave.Blocked), "waits for its node far: late") || wave.RequeueAfter != blockedRetry) {
			t.Errorf("%s: blocked %v, again after %s", name, wave.Blocked, wave.RequeueAfter)
		}
	}
}
