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

// belongsTo reports whether a pod's sidecar belongs to a mesh. That is the mesh of its namespace, which is member; in a namespace without
// mesh it is the mesh that injected the sidecar. A pod without a revision label needs the container of an Open Service Mesh.
func belongsTo(mesh, member string, pod *corev1.Pod) bool {
	revision, injected := pod.Labels[names.RevisionLabel]
	switch {
	case !injected:
		return member == mesh && hasSidecarContainer(pod)
	case member == "":
		return desired.IsRevisionOf(mesh, revision)
	}
	return member == mesh
}

// hasSidecarContainer reports whether a pod has the sidecar of an Open Service Mesh among its containers. This operator injects an init
// container instead.
func hasSidecarContainer(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == names.SidecarContainer })
}

// WorkloadOf returns the workload whose pod template a pod was created from, or the pod itself. For a ReplicaSet it is the Deployment,
// whose name is that of the ReplicaSet without the hash in a label of the pod.
func WorkloadOf(pod *corev1.Pod) rollout.Ref {
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
