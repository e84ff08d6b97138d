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
	"github.com/openservicemesh/osm-operator/controllers/operator/condition"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// deployed is a workload with two wanted pods and a status.
func deployed(status appsv1.DeploymentStatus, pods ...corev1.Pod) workload {
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
		done   bool
	}{
		"all":                    {appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}, 2, true},
		"nothing seen yet":       {appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}, 0, false},
		"old pods do not count":  {appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 3, UpdatedReplicas: 1, ReadyReplicas: 2, AvailableReplicas: 2}, 0, false},
		"an old pod is left":     {appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 3, UpdatedReplicas: 2, ReadyReplicas: 3, AvailableReplicas: 3}, 2, false},
		"ready but not for long": {appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 1}, 2, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := deployed(test.status)
			if got := w.count().Ready; got != test.ready {
				t.Errorf("ready = %d, want %d", got, test.ready)
			}
			if got := w.done(); got != test.done {
				t.Errorf("done = %v, want %v", got, test.done)
			}
		})
	}
}

// A pod that is going away still answers: what its injector admits gets the sidecars of the version before.
func TestPodsOfAnotherVersionThatLingerAreWaitedFor(t *testing.T) {
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
		done bool
	}{
		"only its own":                        {[]corev1.Pod{pod("v2", 0), pod("v2", 0)}, true},
		"one of its own ends":                 {[]corev1.Pod{pod("v2", 0), pod("v2", 0), pod("v2", time.Second)}, true},
		"one of the version before ends":      {[]corev1.Pod{pod("v2", 0), pod("v2", 0), pod("v1", time.Second)}, false},
		"one of the version before is there":  {[]corev1.Pod{pod("v2", 0), pod("v2", 0), pod("v1", 0)}, false},
		"one should have ended: a lost node":  {[]corev1.Pod{pod("v2", 0), pod("v2", 0), pod("v1", -time.Second)}, true},
		"one whose version is not known ends": {[]corev1.Pod{pod("v2", 0), pod("v2", 0), pod("", time.Second)}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := deployed(appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}, test.pods...)
			w.now, w.version = now, "v2"
			w.deployment.Spec.Template.Labels = map[string]string{names.VersionLabel: "v2"}
			if got := w.done(); got != test.done {
				t.Errorf("done = %v, want %v", got, test.done)
			}
			if got := judge(nil, []workload{w}, ""); (got.State == condition.Ready) != test.done {
				t.Errorf("judge = %+v", got)
			}
		})
	}
}

// podIn is a pod whose container is in a state.
func podIn(state corev1.ContainerState) corev1.Pod {
	return corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "osm-controller", Image: "example/c:1", State: state}}}}
}

func waiting(reason string) corev1.Pod {
	return podIn(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "secret not found"}})
}

func TestJudge(t *testing.T) {
	behind := appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2}
	late := behind
	late.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse}}
	refused := behind
	refused.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota"}}
	stopped := podIn(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2}})
	homeless := corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/1 nodes: Insufficient cpu"},
	}}}
	tests := map[string]struct {
		applied error
		w       workload
		state   condition.State
		reason  string
		says    []string
	}{
		"ready":            {nil, deployed(appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}), condition.Ready, v1alpha1.ReasonReplicasReady, []string{"osm-controller 2 of 2"}},
		"starting":         {nil, deployed(behind), condition.Working, v1alpha1.ReasonWaitingForReplicas, []string{"osm-controller 0 of 2"}},
		"absent":           {nil, workload{name: "osm-controller"}, condition.Working, v1alpha1.ReasonWaitingForReplicas, []string{"osm-controller"}},
		"refused by API":   {errors.New("no permission"), deployed(behind), condition.Failing, v1alpha1.ReasonApplyFailed, []string{"no permission"}},
		"image":            {nil, deployed(behind, waiting("ErrImagePull"), waiting("ImagePullBackOff")), condition.Failing, v1alpha1.ReasonReplicasFailed, []string{"the image example/c:1 cannot be pulled"}},
		"bad image name":   {nil, deployed(behind, waiting("InvalidImageName")), condition.Failing, v1alpha1.ReasonReplicasFailed, []string{"not the name of an image", "RELATED_IMAGE"}},
		"missing secret":   {nil, deployed(behind, waiting("CreateContainerConfigError")), condition.Failing, v1alpha1.ReasonReplicasFailed, []string{"secret not found"}},
		"crash":            {nil, deployed(behind, stopped), condition.Failing, v1alpha1.ReasonReplicasFailed, []string{"exit code 2", "kubectl logs -n osm-system deployment/osm-controller --previous"}},
		"no node":          {nil, deployed(behind, homeless), condition.Failing, v1alpha1.ReasonReplicasFailed, []string{"no node takes the pod", "Insufficient cpu"}},
		"time is up":       {nil, deployed(late), condition.Failing, v1alpha1.ReasonReplicasFailed, []string{"did not become ready in time"}},
		"no pods possible": {nil, deployed(refused), condition.Failing, v1alpha1.ReasonReplicasFailed, []string{"exceeded quota"}},
		"creating is fine": {nil, deployed(behind, waiting("ContainerCreating")), condition.Working, v1alpha1.ReasonWaitingForReplicas, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := judge(test.applied, []workload{test.w}, "")
			if got.State != test.state || got.Reason != test.reason {
				t.Errorf("judge = %+v", got)
			}
			for _, words := range test.says {
				if !strings.Contains(got.Message, words) {
					t.Errorf("%q does not say %q", got.Message, words)
				}
			}
			if strings.Count(got.Message, "cannot be pulled") > 1 {
				t.Errorf("two pods with one trouble are told twice: %q", got.Message)
			}
		})
	}
}
