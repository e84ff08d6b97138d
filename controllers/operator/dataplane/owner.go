package dataplane

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// ownerOf is the workload that a pod belongs to: the one whose pod template it was made from, or the pod itself. A ReplicaSet
// stands for its Deployment, whose name is the ReplicaSet's without the hash that the pod carries as a label.
func ownerOf(pod *corev1.Pod) rollout.Ref {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return rollout.Ref{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name}
	}
	ref := rollout.Ref{Kind: owner.Kind, Namespace: pod.Namespace, Name: owner.Name}
	hash := pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	if name, ok := strings.CutSuffix(owner.Name, "-"+hash); ok && owner.Kind == "ReplicaSet" && hash != "" {
		ref.Kind, ref.Name = "Deployment", name
	}
	return ref
}
