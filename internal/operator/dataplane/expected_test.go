package dataplane

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func TestIsStarting(t *testing.T) {
	created := func(age time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(noon.Add(-age)) }
	}
	readyFor := func(age time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(noon.Add(-age)) }
	}
	unready := func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }
	sidecar := func(age time.Duration, restarts int32) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{
				{Name: names.InitContainer, RestartCount: 7},
				{Name: names.SidecarContainer, RestartCount: restarts, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(noon.Add(-age))}}},
			}
		}
	}
	for name, c := range map[string]struct {
		change   []func(*corev1.Pod)
		starting bool
	}{
		"new and not ready":                 {[]func(*corev1.Pod){created(time.Second), unready}, true},
		"new and just ready":                {[]func(*corev1.Pod){created(8 * time.Second), readyFor(2 * time.Second)}, true},
		"new and ready for long enough":     {[]func(*corev1.Pod){created(8 * time.Second), readyFor(5 * time.Second)}, false},
		"old and not ready":                 {[]func(*corev1.Pod){created(time.Minute), unready}, false},
		"old and just ready again":          {[]func(*corev1.Pod){created(time.Hour), readyFor(time.Second)}, false},
		"not ready just before the timeout": {[]func(*corev1.Pod){created(29 * time.Second), unready}, true},
		"not ready at the timeout":          {[]func(*corev1.Pod){created(startTimeout), unready}, false},
		"started long after its creation":   {[]func(*corev1.Pod){created(time.Minute), sidecar(time.Second, 0), unready}, true},
		"started before its creation":       {[]func(*corev1.Pod){created(time.Second), sidecar(time.Hour, 0), unready}, true},
		"started again":                     {[]func(*corev1.Pod){created(time.Second), sidecar(time.Second, 1), unready}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := pod("web", "new", "", "", c.change...)
			if got := isStarting(&p, noon); got != c.starting {
				t.Errorf("isStarting = %t, want %t", got, c.starting)
			}
		})
	}
}

// A pod whose sidecar does not run cannot connect. If it counted, one pod without room in the cluster would fail every upgrade.
func TestOnlySidecarsThatRunAreExpected(t *testing.T) {
	plane := planeOf(expectedPods(t)...)
	workloads, err := plane.Workloads(t.Context(), "osm")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range workloads {
		for _, s := range w.Running {
			got = append(got, s.Pod+" "+s.Problem)
		}
	}
	want := []string{"crashing ", "ended ", "running ", "unpulled ImagePullBackOff", "unready "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("expected sidecars (-want +got):\n%s", diff)
	}
}

// A container that has ended once has started.
func TestHasStarted(t *testing.T) {
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
	for name, c := range map[string]struct {
		status corev1.ContainerStatus
		want   bool
	}{
		"waits":            {corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}}, false},
		"runs":             {corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}, true},
		"has ended":        {corev1.ContainerStatus{State: ended}, true},
		"was restarted":    {corev1.ContainerStatus{RestartCount: 1}, true},
		"has ended before": {corev1.ContainerStatus{LastTerminationState: ended}, true},
	} {
		if got := hasStarted(c.status); got != c.want {
			t.Errorf("a container that %s has started: %t, want %t", name, got, c.want)
		}
	}
}

// expectedPods returns pods as the cache stores them, with their nodes and their namespace.
func expectedPods(t *testing.T) []client.Object {
	old := metav1.NewTime(noon.Add(-time.Hour))
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: old}}
	waiting := func(reason string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "why"}}
	}
	unready := func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }
	on := func(node string, status corev1.ContainerStatus) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			status.Name = names.SidecarContainer
			p.CreationTimestamp, p.Spec.NodeName = old, node
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: names.InitContainer}, status}
		}
	}
	state := func(s corev1.ContainerState) corev1.ContainerStatus { return corev1.ContainerStatus{State: s} }
	pods := []corev1.Pod{
		pod("running", "new", "", "", on("good", state(running))),
		pod("unready", "new", "", "", on("good", state(running)), unready),
		pod("crashing", "new", "", "", on("good", corev1.ContainerStatus{RestartCount: 3, State: waiting("CrashLoopBackOff")}), unready),
		pod("ended", "new", "", "", on("good", state(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}})), unready),
		pod("unpulled", "new", "", "", on("good", state(waiting("ImagePullBackOff"))), unready),
		pod("initializing", "new", "", "", on("good", state(waiting("PodInitializing"))), unready),
		pod("lost", "new", "", "", on("dead", state(running))),
		pod("unscheduled", "new", "", "", unready),
		pod("new", "new", "", "", on("good", state(corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(noon.Add(59 * time.Minute).Add(45 * time.Second))}})), unready),
	}
	objects := []client.Object{namespace("shop", "osm"), node("good", corev1.ConditionTrue), node("dead", corev1.ConditionUnknown)}
	for i := range pods {
		objects = append(objects, &pods[i])
	}
	for _, object := range objects {
		if _, err := strip(object); err != nil {
			t.Fatal(err)
		}
	}
	return objects
}

func node(name string, ready corev1.ConditionStatus) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeMemoryPressure}, {Type: corev1.NodeReady, Status: ready}},
		Images:     []corev1.ContainerImage{{Names: []string{"large"}}},
	}}
}

// A node under pressure has conditions that are true, and need not be ready.
func TestOtherConditionsMakeNoNodeReady(t *testing.T) {
	for status, want := range map[corev1.ConditionStatus]bool{corev1.ConditionTrue: true, corev1.ConditionFalse: false, corev1.ConditionUnknown: false} {
		n := node("full", status)
		n.Status.Conditions[0].Status = corev1.ConditionTrue
		if got := isNodeReady(n); got != want {
			t.Errorf("a node under pressure whose readiness is %s is ready: %t, want %t", status, got, want)
		}
	}
}
