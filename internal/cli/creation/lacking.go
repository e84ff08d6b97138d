package creation

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
)

// lackingWorkload is an object that creates pods and lacks some. Its workload may be another object, such as the Deployment of a ReplicaSet.
type lackingWorkload struct {
	Failure
	kind string
	uid  types.UID
}

// lackingPods returns the objects of a namespace that lack pods. Those with a condition about it have a sentence.
func lackingPods(ctx context.Context, c client.Reader, namespace string) ([]lackingWorkload, error) {
	var replicaSets appsv1.ReplicaSetList
	var statefulSets appsv1.StatefulSetList
	var daemonSets appsv1.DaemonSetList
	var jobs batchv1.JobList
	for _, list := range []client.ObjectList{&replicaSets, &statefulSets, &daemonSets, &jobs} {
		if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("list workloads: %w", err)
		}
	}
	var all []lackingWorkload
	for i := range replicaSets.Items {
		rs := &replicaSets.Items[i]
		sentence := ""
		for _, condition := range rs.Status.Conditions {
			if condition.Type == appsv1.ReplicaSetReplicaFailure && condition.Status == corev1.ConditionTrue && condition.Reason == reason {
				sentence = sentenceOf(condition.Message)
			}
		}
		all = appendLacking(all, rs, "ReplicaSet", ptr.Deref(rs.Spec.Replicas, 1)-rs.Status.Replicas, rs.Spec.Template.Labels, sentence)
	}
	for i := range statefulSets.Items {
		s := &statefulSets.Items[i]
		all = appendLacking(all, s, "StatefulSet", ptr.Deref(s.Spec.Replicas, 1)-s.Status.Replicas, s.Spec.Template.Labels, "")
	}
	for i := range daemonSets.Items {
		d := &daemonSets.Items[i]
		all = appendLacking(all, d, "DaemonSet", d.Status.DesiredNumberScheduled-d.Status.CurrentNumberScheduled, d.Spec.Template.Labels, "")
	}
	for i := range jobs.Items {
		j := &jobs.Items[i]
		all = appendLacking(all, j, "Job", missingOfJob(j), j.Spec.Template.Labels, "")
	}
	return all, nil
}

// appendLacking adds an object, unless it lacks no pods or is being deleted.
func appendLacking(all []lackingWorkload, object client.Object, kind string, missing int32, podLabels map[string]string, sentence string) []lackingWorkload {
	if missing <= 0 || object.GetDeletionTimestamp() != nil {
		return all
	}
	l := lackingWorkload{kind: kind, uid: object.GetUID()}
	l.Workload = manifests.Workload{Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName()}
	if owner := metav1.GetControllerOf(object); owner != nil {
		l.Kind, l.Name = owner.Kind, owner.Name
	}
	l.Missing, l.Labels, l.Sentence, l.since = int(missing), podLabels, sentence, object.GetCreationTimestamp().Time
	return append(all, l)
}

// missingOfJob returns the number of pods that a Job lacks. One that ended or is suspended lacks none.
func missingOfJob(j *batchv1.Job) int32 {
	for _, condition := range j.Status.Conditions {
		if condition.Status == corev1.ConditionTrue && (condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed) {
			return 0
		}
	}
	if ptr.Deref(j.Spec.Suspend, false) {
		return 0
	}
	parallel := ptr.Deref(j.Spec.Parallelism, 1)
	if j.Spec.Completions != nil {
		parallel = min(parallel, *j.Spec.Completions-j.Status.Succeeded)
	}
	return parallel - j.Status.Active
}
