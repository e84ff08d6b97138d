package revision

import (
	"errors"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// newWorkload returns a workload with two desired pods and a status.
func newWorkload(status appsv1.DeploymentStatus, pods ...corev1.Pod) workload {
	return workload{name: "osm-controller", pods: pods, deployment: &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Generation: 3},
		Spec:       appsv1.DeploymentSpec{Replicas: ptr.To[int32](2)},
		Status:     status,
	}}
}

func TestCount(t *testing.T) {
	tests := map[string]struct {
		status appsv1.DeploymentStatus
		ready  int32
		want   bool
	}{
		"all":                        {appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}, 2, true},
		"generation not observed":    {appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}, 0, false},
		"outdated pods do not count": {appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 3, UpdatedReplicas: 1, ReadyReplicas: 2, AvailableReplicas: 2}, 0, false},
		"an outdated pod remains":    {appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 3, UpdatedReplicas: 2, ReadyReplicas: 3, AvailableReplicas: 3}, 2, false},
		"ready but not available":    {appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 1}, 2, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorkload(test.status)
			if got := w.count().Ready; got != test.ready {
				t.Errorf("ready = %d, want %d", got, test.ready)
			}
			if got := w.isReady(); got != test.want {
				t.Errorf("isReady = %v, want %v", got, test.want)
			}
		})
	}
}

// A terminating injector still injects sidecars of its own version.
func TestIsReadyWaitsForTerminatingPodsOfAnotherVersion(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	pod := func(version string, ends time.Duration) corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{names.VersionLabel: version}}}
		if ends != 0 {
			p.DeletionTimestamp = &metav1.Time{Time: now.Add(ends)}
		}
		return p
	}
	tests := map[string]struct {
		pods []corev1.Pod
		want bool
	}{
		"own pods":                       {[]corev1.Pod{pod("v2", 0), pod("v2", 0)}, true},
		"own pod terminates":             {[]corev1.Pod{pod("v2", 0), pod("v2", 0), pod("v2", time.Second)}, true},
		"outdated pod terminates":        {[]corev1.Pod{pod("v2", 0), pod("v2", 0), pod("v1", time.Second)}, false},
		"outdated pod runs":              {[]corev1.Pod{pod("v2", 0), pod("v2", 0), pod("v1", 0)}, false},
		"outdated pod is on a lost node": {[]corev1.Pod{pod("v2", 0), pod("v2", 0), pod("v1", -time.Second)}, true},
		"pod without version terminates": {[]corev1.Pod{pod("v2", 0), pod("v2", 0), pod("", time.Second)}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorkload(appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}, test.pods...)
			w.now, w.version = now, "v2"
			w.deployment.Spec.Template.Labels = map[string]string{names.VersionLabel: "v2"}
			if got := w.isReady(); got != test.want {
				t.Errorf("isReady = %v, want %v", got, test.want)
			}
			if got := assess(nil, []workload{w}, ""); (got.State == conditions.Ready) != test.want {
				t.Errorf("assess = %+v", got)
			}
		})
	}
}

// podWithState returns a pod whose container is in a state.
func podWithState(state corev1.ContainerState) corev1.Pod {
	return corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "osm-controller", Image: "example/c:1", State: state}}}}
}

func waitingPod(reason string) corev1.Pod {
	return podWithState(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "secret not found"}})
}

func TestAssess(t *testing.T) {
	updating := appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2}
	expired := updating
	expired.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse}}
	rejected := updating
	rejected.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota"}}
	crashed := podWithState(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2}})
	unschedulable := corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/1 nodes: Insufficient cpu"},
	}}}
	tests := map[string]struct {
		applied error
		w       workload
		state   conditions.State
		reason  string
		want    []string
	}{
		"ready":              {nil, newWorkload(appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}), conditions.Ready, v1alpha1.ReasonReplicasReady, []string{"osm-controller 2 of 2"}},
		"starting":           {nil, newWorkload(updating), conditions.Progressing, v1alpha1.ReasonWaitingForReplicas, []string{"osm-controller 0 of 2"}},
		"absent":             {nil, workload{name: "osm-controller"}, conditions.Progressing, v1alpha1.ReasonWaitingForReplicas, []string{"osm-controller"}},
		"unknown version":    {&operand.UnknownVersionError{Version: "v9.9.9"}, newWorkload(updating), conditions.Stalled, v1alpha1.ReasonUnknownVersion, []string{"v9.9.9"}},
		"apply failed":       {errors.New("no permission"), newWorkload(updating), conditions.Failing, v1alpha1.ReasonApplyFailed, []string{"no permission"}},
		"image":              {nil, newWorkload(updating, waitingPod("ErrImagePull"), waitingPod("ImagePullBackOff")), conditions.Failing, v1alpha1.ReasonReplicasFailed, []string{"the image example/c:1 cannot be pulled"}},
		"invalid image name": {nil, newWorkload(updating, waitingPod("InvalidImageName")), conditions.Failing, v1alpha1.ReasonReplicasFailed, []string{"not a valid image name", "RELATED_IMAGE"}},
		"missing secret":     {nil, newWorkload(updating, waitingPod("CreateContainerConfigError")), conditions.Failing, v1alpha1.ReasonReplicasFailed, []string{"secret not found"}},
		"crash":              {nil, newWorkload(updating, crashed), conditions.Failing, v1alpha1.ReasonReplicasFailed, []string{"exit code 2", "kubectl logs -n osm-system deployment/osm-controller --previous"}},
		"no node":            {nil, newWorkload(updating, unschedulable), conditions.Failing, v1alpha1.ReasonReplicasFailed, []string{"no node can run the pod", "Insufficient cpu"}},
		"deadline exceeded":  {nil, newWorkload(expired), conditions.Failing, v1alpha1.ReasonReplicasFailed, []string{"did not become ready in time"}},
		"pods rejected":      {nil, newWorkload(rejected), conditions.Failing, v1alpha1.ReasonReplicasFailed, []string{"exceeded quota"}},
		"container creating": {nil, newWorkload(updating, waitingPod("ContainerCreating")), conditions.Progressing, v1alpha1.ReasonWaitingForReplicas, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := assess(test.applied, []workload{test.w}, "")
			if got.State != test.state || got.Reason != test.reason {
				t.Errorf("assess = %+v", got)
			}
			for _, words := range test.want {
				if !strings.Contains(got.Message, words) {
					t.Errorf("%q does not contain %q", got.Message, words)
				}
			}
			if strings.Count(got.Message, "cannot be pulled") > 1 {
				t.Errorf("the same failure of two pods is listed twice: %q", got.Message)
			}
		})
	}
}
