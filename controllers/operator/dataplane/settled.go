package dataplane

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// state is what a workload's own object says about it.
type state struct {
	// settled: its last rollout is over and every pod is ready.
	settled bool
	// onDelete: a new pod template replaces no pod, or not every pod, by itself.
	onDelete bool
	// restart is the operator's annotation on the pod template.
	restart string
	// done is when its last rollout ended, if it tells.
	done time.Time
	// labels are those of its pods.
	labels map[string]string
	// own are the labels of the object itself.
	own map[string]string
}

// stateOf reads a Deployment, StatefulSet or DaemonSet.
func stateOf(object client.Object, annotation string) state {
	s := state{own: object.GetLabels()}
	switch o := object.(type) {
	case *appsv1.Deployment:
		wanted := ptr.Deref(o.Spec.Replicas, 1)
		s.settled = current(o.ObjectMeta, o.Status.ObservedGeneration) && o.Status.UpdatedReplicas == wanted &&
			o.Status.Replicas == wanted && o.Status.AvailableReplicas == wanted
		s.onDelete = o.Spec.Paused
		s.done = rolledOut(o.Status.Conditions)
		s.restart, s.labels = o.Spec.Template.Annotations[annotation], o.Spec.Template.Labels
	case *appsv1.StatefulSet:
		wanted := ptr.Deref(o.Spec.Replicas, 1)
		s.settled = current(o.ObjectMeta, o.Status.ObservedGeneration) && o.Status.ReadyReplicas == wanted && o.Status.Replicas == wanted &&
			(o.Status.UpdatedReplicas == wanted || o.Status.UpdateRevision == o.Status.CurrentRevision)
		s.onDelete = o.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType || partition(o) > 0
		s.restart, s.labels = o.Spec.Template.Annotations[annotation], o.Spec.Template.Labels
	case *appsv1.DaemonSet:
		wanted := o.Status.DesiredNumberScheduled
		s.settled = current(o.ObjectMeta, o.Status.ObservedGeneration) && o.Status.UpdatedNumberScheduled == wanted && o.Status.NumberAvailable == wanted
		s.onDelete = o.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType
		s.restart, s.labels = o.Spec.Template.Annotations[annotation], o.Spec.Template.Labels
	}
	return s
}

// rolledOut is when a Deployment's last rollout ended; zero while one lasts.
func rolledOut(conditions []appsv1.DeploymentCondition) time.Time {
	for _, c := range conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Reason == "NewReplicaSetAvailable" {
			return c.LastUpdateTime.Time
		}
	}
	return time.Time{}
}

// current says whether a status speaks about the newest spec.
func current(meta metav1.ObjectMeta, observed int64) bool { return observed >= meta.Generation }

// partition is the number of pods of a StatefulSet that a new template leaves alone.
func partition(s *appsv1.StatefulSet) int32 {
	if s.Spec.UpdateStrategy.RollingUpdate == nil {
		return 0
	}
	return ptr.Deref(s.Spec.UpdateStrategy.RollingUpdate.Partition, 0)
}
