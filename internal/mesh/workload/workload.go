package workload

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Reference is the kind and the name of a workload in the namespace of its pods.
type Reference struct{ Kind, Name string }

// Of returns what manages a pod. A pod without a controller is its own workload; before the API server generates its name, the name
// is empty. As in OSM, the Deployment counts and not its ReplicaSet.
func Of(pod *corev1.Pod) Reference {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return Reference{Kind: "Pod", Name: pod.Name}
	}
	hash := pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	if deployment, found := strings.CutSuffix(owner.Name, "-"+hash); found && hash != "" && owner.Kind == "ReplicaSet" {
		return Reference{Kind: "Deployment", Name: deployment}
	}
	return Reference{Kind: owner.Kind, Name: owner.Name}
}
