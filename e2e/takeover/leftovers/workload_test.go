package leftovers

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// servicePort is the target port of the workloads' Services.
	servicePort = 14001
	// appPort is the port of an application behind a stub of OSM's sidecar. The stub uses the Service's target port.
	appPort = 14080
)

// deployWithSidecar creates a Deployment of one pod with the given container as its sidecar, without an injector. The
// Deployment's own template has no sidecar, as with OSM. A quota prevents the Deployment from creating pods until it
// has adopted the prepared pod.
func deployWithSidecar(t *testing.T, namespace, name string, sidecar corev1.Container) *appsv1.Deployment {
	t.Helper()
	ctx := t.Context()
	account, pod := cluster.TestPod(namespace, name)
	pod.Spec.Containers = []corev1.Container{cluster.ToolsContainer("app", name, appPort, lab.AgentPort), sidecar}
	pod.Labels[names.ProxyUUIDLabel] = "0e39e8d4-4b1c-4d2e-8a51-1d9f6c0b7a11"
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}},
	}
	lab.Must(t, cluster.Create(ctx, quota, account))
	eventually(t, "the quota is in force", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(quota), quota)
		return len(quota.Status.Hard) > 0, "", err
	})
	lab.Must(t, cluster.Create(ctx, pod))
	lab.Must(t, cluster.PodsReady(ctx, podLimit, namespace))
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{lab.AppLabel: name}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{lab.AppLabel: name}},
				Spec: corev1.PodSpec{
					ServiceAccountName: name, TerminationGracePeriodSeconds: ptr.To[int64](10),
					Containers: []corev1.Container{cluster.ToolsContainer("app", name, servicePort, lab.AgentPort)},
				},
			},
		},
	}
	lab.Must(t, cluster.Create(ctx, d, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{lab.AppLabel: name}, Ports: []corev1.ServicePort{{Name: "http", Port: servicePort}}},
	}))
	adoptPod(t, d, pod)
	lab.Must(t, cluster.Client.Delete(ctx, quota))
	return d
}

// adoptPod makes the Deployment adopt a pod while it cannot create one itself.
func adoptPod(t *testing.T, d *appsv1.Deployment, pod *corev1.Pod) {
	t.Helper()
	eventually(t, "the Deployment "+d.Name+" has adopted its pod", func(ctx context.Context) (bool, string, error) {
		var sets appsv1.ReplicaSetList
		if err := cluster.Client.List(ctx, &sets, client.InNamespace(d.Namespace), client.MatchingLabels{lab.AppLabel: d.Name}); err != nil || len(sets.Items) == 0 {
			return false, "it has no ReplicaSet", err
		}
		hash := sets.Items[0].Labels[appsv1.DefaultDeploymentUniqueLabelKey]
		if err := cluster.Patch(ctx, pod, fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, appsv1.DefaultDeploymentUniqueLabelKey, hash)); err != nil {
			return false, "", err
		}
		if err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
			return false, "", err
		}
		return d.Status.AvailableReplicas == 1 && len(pod.OwnerReferences) == 1, fmt.Sprintf("%d are available, owners %v", d.Status.AvailableReplicas, pod.OwnerReferences), nil
	})
}

// awaitRestart waits until a Deployment has one ready pod with a sidecar of a revision, and returns it.
func awaitRestart(t *testing.T, d *appsv1.Deployment, revision string) *corev1.Pod {
	t.Helper()
	var found *corev1.Pod
	eventually(t, d.Name+" has a sidecar of "+revision, func(ctx context.Context) (bool, string, error) {
		var pods corev1.PodList
		if err := cluster.Client.List(ctx, &pods, client.InNamespace(d.Namespace), client.MatchingLabels{lab.AppLabel: d.Name}); err != nil || len(pods.Items) != 1 {
			return false, fmt.Sprintf("it has %d pods", len(pods.Items)), err
		}
		found = &pods.Items[0]
		return lab.IsReady(found) && found.Labels[names.RevisionLabel] == revision, fmt.Sprintf("pod %s has revision %q", found.Name, found.Labels[names.RevisionLabel]), nil
	})
	return found
}

// readMesh returns a Mesh, or nil if it does not exist.
func readMesh(ctx context.Context, name string) (*v1alpha1.Mesh, error) {
	live := &v1alpha1.Mesh{}
	err := cluster.Client.Get(ctx, client.ObjectKey{Name: name}, live)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return live, err
}
