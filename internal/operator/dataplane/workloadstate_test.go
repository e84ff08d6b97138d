package dataplane

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestStateOfStatefulSets tells when a rollout is complete.
func TestStateOfStatefulSets(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*appsv1.StatefulSet)
		want   bool
	}{
		"complete":                        {func(*appsv1.StatefulSet) {}, true},
		"the latest spec is not observed": {func(s *appsv1.StatefulSet) { s.Generation = 4 }, false},
		"a pod is missing":                {func(s *appsv1.StatefulSet) { s.Status.Replicas = 1 }, false},
		"a pod is not updated":            {func(s *appsv1.StatefulSet) { s.Status.UpdatedReplicas = 1 }, false},
		"the update ended before":         {func(s *appsv1.StatefulSet) { s.Status.UpdatedReplicas, s.Status.CurrentRevision = 0, "b" }, true},
	} {
		set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Generation: 3}, Spec: appsv1.StatefulSetSpec{Replicas: ptr.To[int32](2)}}
		set.Status = appsv1.StatefulSetStatus{
			ObservedGeneration: 3, Replicas: 2, ReadyReplicas: 2, UpdatedReplicas: 2, UpdateRevision: "b", CurrentRevision: "a",
		}
		test.change(set)
		if got := stateOf(set).isDone(0); got != test.want {
			t.Errorf("%s: the rollout is complete: %t, want %t", name, got, test.want)
		}
	}
}

// TestTemplatesOfWorkloads are where the operator records a restart, and where PodDisruptionBudgets find labels.
func TestTemplatesOfWorkloads(t *testing.T) {
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{
		Labels: map[string]string{"app": "web"}, Annotations: map[string]string{names.RestartAnnotation: "restart"},
	}}
	for _, object := range []client.Object{
		&appsv1.Deployment{Spec: appsv1.DeploymentSpec{Template: template}}, &appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{Template: template}},
		&appsv1.DaemonSet{Spec: appsv1.DaemonSetSpec{Template: template}},
	} {
		if s := stateOf(object); s.restart != "restart" || s.podLabels["app"] != "web" {
			t.Errorf("a %T has the restart %q and pods with the labels %v", object, s.restart, s.podLabels)
		}
	}
}

// The condition Progressing of a Deployment tells when its rollout was complete, as long as its reason does not tell of the next one.
func TestRolloutTime(t *testing.T) {
	at := func(kind appsv1.DeploymentConditionType, reason string, minutes int) appsv1.DeploymentCondition {
		return appsv1.DeploymentCondition{Type: kind, Reason: reason, LastUpdateTime: metav1.NewTime(noon.Add(time.Duration(minutes) * time.Minute))}
	}
	const complete = "NewReplicaSetAvailable"
	available, progressing := at(appsv1.DeploymentAvailable, complete, 1), at(appsv1.DeploymentProgressing, complete, 2)
	for name, test := range map[string]struct {
		conditions []appsv1.DeploymentCondition
		want       time.Time
	}{
		"complete":    {[]appsv1.DeploymentCondition{available, progressing}, noon.Add(2 * time.Minute)},
		"in progress": {[]appsv1.DeploymentCondition{at(appsv1.DeploymentProgressing, "ReplicaSetUpdated", 2)}, time.Time{}},
		"unknown":     {nil, time.Time{}},
	} {
		d := &appsv1.Deployment{Status: appsv1.DeploymentStatus{Conditions: test.conditions}}
		if got := stateOf(d).rolledOut; !got.Equal(test.want) {
			t.Errorf("%s: the rollout was complete at %s, want %s", name, got, test.want)
		}
	}
}
