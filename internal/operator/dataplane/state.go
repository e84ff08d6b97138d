package dataplane

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// state is the state of a workload according to its own object.
type state struct {
	// complete is true when the last rollout is complete and every pod is ready.
	complete bool
	// onDelete is true when a new pod template does not replace every pod by itself.
	onDelete bool
	// restart is the value of names.RestartAnnotation on the pod template.
	restart string
	// rolledOut is when the last rollout completed, if the status holds it.
	rolledOut time.Time
	// labels are those of the object, podLabels those of its pod template.
	labels, podLabels map[string]string
}

// stateOf reads a Deployment, StatefulSet or DaemonSet.
func stateOf(object client.Object) state {
	s := state{labels: object.GetLabels()}
	switch o := object.(type) {
	case *appsv1.Deployment:
		desired := ptr.Deref(o.Spec.Replicas, 1)
		s.complete = isObserved(o.ObjectMeta, o.Status.ObservedGeneration) && o.Status.UpdatedReplicas == desired &&
			o.Status.Replicas == desired && o.Status.AvailableReplicas == desired
		s.onDelete = o.Spec.Paused
		s.rolledOut = rolloutTime(o.Status.Conditions)
		s.restart, s.podLabels = restartAnnotationOf(&o.Spec.Template), o.Spec.Template.Labels
	case *appsv1.StatefulSet:
		desired := ptr.Deref(o.Spec.Replicas, 1)
		s.complete = isObserved(o.ObjectMeta, o.Status.ObservedGeneration) && o.Status.ReadyReplicas == desired && o.Status.Replicas == desired &&
			(o.Status.UpdatedReplicas == desired || o.Status.UpdateRevision == o.Status.CurrentRevision)
		s.onDelete = o.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType || partition(o) > 0
		s.restart, s.podLabels = restartAnnotationOf(&o.Spec.Template), o.Spec.Template.Labels
	case *appsv1.DaemonSet:
		desired := o.Status.DesiredNumberScheduled
		s.complete = isObserved(o.ObjectMeta, o.Status.ObservedGeneration) && o.Status.UpdatedNumberScheduled == desired && o.Status.NumberAvailable == desired
		s.onDelete = o.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType
		s.restart, s.podLabels = restartAnnotationOf(&o.Spec.Template), o.Spec.Template.Labels
	}
	return s
}

// rolloutTime is when a Deployment's last rollout completed; zero during a rollout.
func rolloutTime(conditions []appsv1.DeploymentCondition) time.Time {
	for _, c := range conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Reason == "NewReplicaSetAvailable" {
			return c.LastUpdateTime.Time
		}
	}
	return time.Time{}
}

// isObserved reports whether a status is that of the latest spec.
func isObserved(meta metav1.ObjectMeta, observed int64) bool { return observed >= meta.Generation }

// partition is the ordinal below which a StatefulSet does not update pods.
func partition(s *appsv1.StatefulSet) int32 {
	if s.Spec.UpdateStrategy.RollingUpdate == nil {
		return 0
	}
	return ptr.Deref(s.Spec.UpdateStrategy.RollingUpdate.Partition, 0)
}
