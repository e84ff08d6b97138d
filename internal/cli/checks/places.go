package checks

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// places are the pods that have no node, or one that does not report. Neither has to do with their sidecars, and the log of the sidecar says nothing about it.
type places struct {
	// silent are the nodes whose kubelets do not report that they are ready.
	silent map[string]bool
	// waiting are the pods that no node can run.
	waiting []*corev1.Pod
	// lost are pods of silent nodes, whose status is that of an earlier time.
	lost []*corev1.Pod
}

// readPlaces reads which nodes do not report. Without permission to list nodes, no pod counts as lost.
func (s Subject) readPlaces(ctx context.Context) places {
	p := places{silent: map[string]bool{}}
	var nodes corev1.NodeList
	if err := s.Client.List(ctx, &nodes); err != nil {
		return p
	}
	for i := range nodes.Items {
		isUnready := func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue
		}
		if slices.ContainsFunc(nodes.Items[i].Status.Conditions, isUnready) {
			p.silent[nodes.Items[i].Name] = true
		}
	}
	return p
}

// add reports whether the place of a pod is what is wrong with it.
func (p *places) add(pod *corev1.Pod) bool {
	switch {
	case unschedulable(pod) != "":
		p.waiting = append(p.waiting, pod)
	case p.silent[pod.Spec.NodeName]:
		p.lost = append(p.lost, pod)
	default:
		return false
	}
	return true
}

// unschedulable is what the scheduler says about a pod that no node can run; empty for others.
func unschedulable(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return strings.TrimSuffix(c.Message, ".")
		}
	}
	return ""
}

// findings are about the pods that were added.
func (p *places) findings() []diagnosis.Finding {
	var found []diagnosis.Finding
	if len(p.waiting) > 0 {
		const remedy = "make room for the application and its sidecar, see docs/help/pod-does-not-start.md#no-node"
		found = append(found, diagnosis.Fail(remedy, "pods that wait for a node: %s: %s",
			firstThree(lists.Map(p.waiting, (*corev1.Pod).GetName)), unschedulable(p.waiting[0])))
	}
	if len(p.lost) > 0 {
		withNode := func(pod *corev1.Pod) string { return fmt.Sprintf("%s (%s)", pod.Name, pod.Spec.NodeName) }
		found = append(found, diagnosis.Warn("see kubectl describe node "+p.lost[0].Spec.NodeName,
			"pods whose node does not report: %s", firstThree(lists.Map(p.lost, withNode))))
	}
	return found
}
