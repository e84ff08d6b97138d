package dataplane

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// hasSidecar reports whether a pod has a sidecar, that of this operator or that of an Open Service Mesh. Labels are no evidence, because the
// author of a pod writes them.
func hasSidecar(pod *corev1.Pod) bool { return ingest.IsInjected(pod) || hasOSMSidecar(pod) }

// hasOSMSidecar reports whether a pod has the sidecar of an Open Service Mesh, which is among its containers.
func hasOSMSidecar(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == names.SidecarContainer })
}

// hasLeft reports whether a pod kept the sidecar of a mesh after its namespace had left that mesh. member is the mesh of the namespace.
func hasLeft(mesh, member string, pod *corev1.Pod) bool {
	return member == "" && ingest.IsInjected(pod) && desired.IsRevisionOf(mesh, pod.Labels[names.RevisionLabel])
}

// revisionOf returns the revision of a pod's sidecar. It is empty for the sidecar of an Open Service Mesh.
func revisionOf(pod *corev1.Pod) string {
	if !ingest.IsInjected(pod) {
		return ""
	}
	return pod.Labels[names.RevisionLabel]
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
