package remaining

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Meshes are the meshes of a cluster, for the question which sidecars remained.
type Meshes struct {
	// Name is the mesh that asks.
	Name string
	// All are the names of all meshes. Without them, sidecars of other meshes are not looked at.
	All []string
	// Systems are the namespaces of control planes. Their pods are gateways.
	Systems []string
}

// Sidecar reports whether a pod has a sidecar that no control plane configures any more. member is the mesh of its namespace; empty without one.
// Sidecars of a mesh that still exists concern only that mesh. A pod in a namespace of its mesh is served, or has a sidecar of another mesh, which is
// outdated.
func (m Meshes) Sidecar(pod *inventory.Instance, member string) bool {
	isMeshed := pod.Injected || pod.OSMSidecar
	if !isMeshed || pod.Finished || pod.Terminating || member == m.Name || slices.Contains(m.Systems, pod.Name.Namespace) {
		return false
	}
	made, known := desired.MeshOf(pod.Revision)
	if made == m.Name {
		return true
	}
	if m.All == nil && known || slices.Contains(m.All, made) {
		return false
	}
	return !slices.Contains(m.All, member)
}

// List returns the pods of a cluster with remaining sidecars, sorted.
func (m Meshes) List(ctx context.Context, c client.Reader) ([]corev1.Pod, error) {
	var namespaces corev1.NamespaceList
	var pods corev1.PodList
	if err := c.List(ctx, &namespaces); err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	if err := c.List(ctx, &pods, client.HasLabels{names.ProxyUUIDLabel}); err != nil {
		return nil, fmt.Errorf("list pods with sidecars: %w", err)
	}
	members := map[string]string{}
	for i := range namespaces.Items {
		members[namespaces.Items[i].Name] = MeshOf(namespaces.Items[i].Labels)
	}
	found := slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return !m.Sidecar(ingest.Pod(&pod), members[pod.Namespace]) })
	slices.SortFunc(found, func(a, b corev1.Pod) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return found, nil
}

// MeshOf returns the mesh that a namespace with these labels is part of; empty without one, also for a namespace that meshes ignore.
func MeshOf(labels map[string]string) string {
	if _, ignored := labels[names.IgnoreLabel]; ignored {
		return ""
	}
	return labels[names.MonitoredByLabel]
}

// Members returns the mesh of each namespace among objects.
func Members(objects []*unstructured.Unstructured) map[string]string {
	members := map[string]string{}
	for _, object := range objects {
		if object.GetKind() == "Namespace" {
			members[object.GetName()] = MeshOf(object.GetLabels())
		}
	}
	return members
}

// RestartAll is the command that restarts the workloads of a namespace.
func RestartAll(namespace string) string {
	return "kubectl -n " + namespace + " rollout restart deployment,statefulset,daemonset"
}

// Effect is what a remaining sidecar does, for the end of a sentence.
const Effect = "it keeps the configuration and the certificate that it received last, and denies ever more calls, until the pod is restarted"
