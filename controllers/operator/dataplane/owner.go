package dataplane

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// concerns says whether a pod with a sidecar is a mesh's to look after: the one that its namespace is part of, or else the one that
// has made its sidecar. A label alone makes no sidecar: without a revision, there must be the container that OSM adds.
func concerns(mesh, member string, pod *corev1.Pod) bool {
	revision, injected := pod.Labels[names.RevisionLabel]
	switch {
	case !injected:
		return member == mesh && earlier(pod)
	case member == "":
		return desired.IsRevisionOf(mesh, revision)
	}
	return member == mesh
}

// earlier says whether a pod has the sidecar of an Open Service Mesh, which is a container like any other.
func earlier(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == names.SidecarContainer })
}

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
