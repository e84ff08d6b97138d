package dataplane

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

const (
	// rolloutHashLabel is the label of a pod with the hash in the name of its ReplicaSet, if Argo Rollouts made that.
	rolloutHashLabel = "rollouts-pod-template-hash"
	// deploymentConfigLabel is the label of a pod with the name of its DeploymentConfig.
	deploymentConfigLabel = "deploymentconfig"
)

// WorkloadOf returns the workload whose pod template a pod was created from, or the pod itself. For a ReplicaSet it is the Deployment or the
// Rollout, whose name is that of the ReplicaSet without the hash in a label of the pod. For a ReplicationController it is the DeploymentConfig.
func WorkloadOf(pod *corev1.Pod) rollout.Ref {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return rollout.Ref{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name}
	}
	ref := rollout.Ref{Kind: qualifiedKind(owner.APIVersion, owner.Kind), Namespace: pod.Namespace, Name: owner.Name}
	switch owner.Kind {
	case "ReplicaSet":
		if name, ok := withoutHash(owner.Name, pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]); ok {
			ref.Kind, ref.Name = "Deployment", name
		} else if name, ok := withoutHash(owner.Name, pod.Labels[rolloutHashLabel]); ok {
			ref.Kind, ref.Name = nameOf(rolloutKind), name
		}
	case "ReplicationController":
		if name := pod.Labels[deploymentConfigLabel]; isVersionOf(name, owner.Name) {
			ref.Kind, ref.Name = nameOf(deploymentConfigKind), name
		}
	}
	return ref
}

// qualifiedKind is a kind, with its group if it does not belong to Kubernetes. Groups of Kubernetes whose kinds own pods have no dots.
func qualifiedKind(apiVersion, kind string) string {
	version, err := schema.ParseGroupVersion(apiVersion)
	if err != nil || !strings.Contains(version.Group, ".") {
		return kind
	}
	return nameOf(version.WithKind(kind))
}

// nameOf is the name of a kind in references to workloads.
func nameOf(kind schema.GroupVersionKind) string { return kind.Kind + "." + kind.Group }

// withoutHash removes a hash from the end of the name of a ReplicaSet.
func withoutHash(name, hash string) (string, bool) {
	if hash == "" {
		return "", false
	}
	return strings.CutSuffix(name, "-"+hash)
}

// isVersionOf reports whether a ReplicationController has the name of a version of a DeploymentConfig: "<name>-<number>".
func isVersionOf(config, controller string) bool {
	number, ok := strings.CutPrefix(controller, config+"-")
	return config != "" && ok && number != "" && strings.Trim(number, "0123456789") == ""
}
