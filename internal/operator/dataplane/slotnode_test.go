package dataplane

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// slotNode is a node with one pod with two slots, and a clock of its own. The operator sees it every other second.
type slotNode struct {
	pod   *corev1.Pod
	plane *Plane
	// now is the time of the operator, and skew how much the clock of the node is ahead of it.
	now  time.Time
	skew time.Duration
	// keepsManagers is true if nobody resets the managed fields of the pod.
	keepsManagers bool
	roles         map[string]report.Role
	// running has the images of the containers. changed is when that of a slot changed, and launched when its container started, by the clock of the operator.
	running           map[string]string
	changed, launched map[string]time.Time
	containers        int
}

func newSlotNode(skew time.Duration, keepsManagers bool) *slotNode {
	n := &slotNode{
		now: noon, skew: skew, keepsManagers: keepsManagers, running: map[string]string{}, changed: map[string]time.Time{}, launched: map[string]time.Time{},
		roles: map[string]report.Role{names.SidecarContainer: report.Serving},
	}
	web := pod("web", "old", "ReplicaSet", "web-5c", hash("5c"), withSlots)
	web.ManagedFields, web.Status.InitContainerStatuses = nil, nil
	for i := 1; i < 3; i++ {
		web.Spec.InitContainers[i].Image = "envoy:1"
		web.Status.InitContainerStatuses = append(web.Status.InitContainerStatuses, corev1.ContainerStatus{Name: web.Spec.InitContainers[i].Name})
	}
	n.pod, n.plane = &web, planeOf()
	n.plane.now = func() time.Time { return n.now }
	n.now = noon.Add(-time.Hour)
	for i := range web.Status.InitContainerStatuses {
		n.start(&web.Status.InitContainerStatuses[i], "envoy:1")
	}
	n.now = noon
	return n
}

// start starts the container of a slot.
func (n *slotNode) start(status *corev1.ContainerStatus, image string) {
	n.containers++
	status.ContainerID, status.Image = fmt.Sprintf("containerd://%d", n.containers), image
	status.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(n.now.Add(n.skew).Truncate(time.Second))}}
	n.running[status.Name], n.launched[status.Name] = image, n.now
}

// observe returns what the operator sees of the pod, in its cache.
func (n *slotNode) observe(t rapid.TB) rollout.SlottedPod {
	t.Helper()
	stripped, err := strip(n.pod.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	workloads := observation{pods: []corev1.Pod{*n.plane.times.pod(stripped.(*corev1.Pod), n.now)}, now: n.now}.workloads()
	seen := n.plane.times.slots(workloads, n.now)[0].Slotted[0]
	for i := range seen.Slots {
		seen.Slots[i].Role = n.roles[seen.Slots[i].Name]
	}
	return seen
}

// patch changes a slot as the operator does.
func (n *slotNode) patch(ctx context.Context, t rapid.TB, patch *rollout.PodPatch) {
	t.Helper()
	stored := n.pod.DeepCopy()
	stored.ManagedFields = nil
	c := fake.NewClientBuilder().WithObjects(stored).Build()
	n.plane.cache, n.plane.writer = readerCache{reader: c}, c
	if err := n.plane.PatchSlot(ctx, *patch); err != nil {
		t.Fatal(err)
	}
	status, managers := n.pod.Status, n.pod.ManagedFields
	n.pod = &corev1.Pod{}
	if err := c.Get(ctx, client.ObjectKeyFromObject(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}), n.pod); err != nil {
		t.Fatal(err)
	}
	n.pod.Status, n.pod.ManagedFields = status, nil
	if n.keepsManagers {
		isSame := func(entry metav1.ManagedFieldsEntry) bool { return entry.Manager == string(slotManager(*patch)) }
		n.pod.ManagedFields = append(slices.DeleteFunc(managers, isSame), metav1.ManagedFieldsEntry{Manager: string(slotManager(*patch)), Time: &metav1.Time{Time: n.now}})
	}
	n.changed[patch.Slot] = n.now
	delete(n.roles, patch.Slot)
}

// kubelet restarts containers whose image has changed, after two seconds. An image whose tag is absent is never started.
func (n *slotNode) kubelet() {
	for i := range n.pod.Status.InitContainerStatuses {
		status := &n.pod.Status.InitContainerStatuses[i]
		image := n.pod.Spec.InitContainers[i+1].Image
		if image == n.running[status.Name] || n.now.Sub(n.changed[status.Name]) < 2*time.Second {
			continue
		}
		if image == "envoy:absent" {
			status.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
			continue
		}
		n.start(status, image)
	}
}

// launcher starts the Envoy of a slot with another image than the serving one. It takes over after ten seconds, unless it gets no configuration, and the earlier
// one drains for a minute.
func (n *slotNode) launcher() {
	for _, slot := range []string{names.SidecarContainer, names.StandbyContainer} {
		other := map[string]string{names.SidecarContainer: names.StandbyContainer, names.StandbyContainer: names.SidecarContainer}[slot]
		isNew := n.running[slot] != n.running[other] && n.roles[other] == report.Serving && n.launched[slot].After(n.launched[other])
		switch since := n.now.Sub(n.launched[slot]); {
		case n.roles[slot] == report.Draining && n.now.Sub(n.launched[other]) > time.Minute:
			delete(n.roles, slot)
		case !isNew || n.running[slot] == "envoy:idle" || n.roles[slot] != "" && n.roles[slot] != report.Starting:
		case since >= 10*time.Second && n.running[slot] != "envoy:stuck":
			n.roles[slot], n.roles[other] = report.Serving, report.Draining
		case since >= time.Second:
			n.roles[slot] = report.Starting
		}
	}
}

// upgrade takes the pod to an image, and returns each state with the seconds after which it began.
func (n *slotNode) upgrade(ctx context.Context, t rapid.TB, image string) (states []rollout.StepState, seconds []int, patches int) {
	t.Helper()
	for second := 0; second < 400 && patches < 10; second += 2 {
		n.now = noon.Add(time.Duration(second) * time.Second)
		n.kubelet()
		n.launcher()
		seen := n.observe(t)
		step := seen.Next(image, n.now)
		if len(states) == 0 || states[len(states)-1] != step.State {
			states, seconds = append(states, step.State), append(seconds, second)
		}
		patch := step.Patch
		if back := rollout.TakeBacks([]rollout.Workload{{Slotted: []rollout.SlottedPod{seen}}}, n.now); len(back) > 0 {
			patch = &back[0]
		}
		if patch != nil {
			patches++
			n.patch(ctx, t, patch)
		}
	}
	return states, seconds, patches
}
