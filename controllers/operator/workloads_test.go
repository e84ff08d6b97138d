package operator_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// workloads is a namespace with Deployments of one pod each. Their pods get the sidecar of the active revision.
type workloads struct {
	t         *testing.T
	mesh      string
	namespace string
	// restarted holds the Deployments in the order of their restarts.
	restarted []string
	done      chan struct{}
}

// newWorkloads creates the Deployments, and simulates Deployment controller, injector and kubelet until the test ends.
func newWorkloads(t *testing.T, mesh string, deployments ...string) *workloads {
	t.Helper()
	s := &workloads{t: t, mesh: mesh, namespace: mesh + "-shop", done: make(chan struct{})}
	// The namespace has no label, because no injector runs in this cluster.
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}})
	for _, name := range deployments {
		labels := map[string]string{"app": name}
		create(t, &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
			Spec: appsv1.DeploymentSpec{
				Replicas: ptr.To[int32](1), Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}},
				},
			},
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(s.done)
		for ctx.Err() == nil {
			s.replacePods(ctx, deployments)
			time.Sleep(20 * time.Millisecond)
		}
	}()
	t.Cleanup(func() { cancel(); <-s.done })
	return s
}

// replacePods replaces the pod of every Deployment whose template has changed.
func (s *workloads) replacePods(ctx context.Context, deployments []string) {
	for _, name := range deployments {
		d := &appsv1.Deployment{}
		if cluster.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, d) != nil || d.Status.ObservedGeneration == d.Generation {
			continue
		}
		hash := fmt.Sprintf("%d", d.Generation)
		pod := s.pod(name, hash, s.activeRevision(ctx))
		if d.Generation > 1 {
			s.restarted = append(s.restarted, name)
			_ = cluster.client.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(s.namespace), client.MatchingLabels{"app": name}, client.GracePeriodSeconds(0))
		}
		// The pod exists if the Deployment changed before its status was written.
		if err := cluster.client.Create(ctx, pod); err != nil && !apierrors.IsAlreadyExists(err) {
			s.t.Log(err)
			continue
		}
		pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()},
		}}
		_ = cluster.client.Status().Update(ctx, pod)
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
		_ = cluster.client.Status().Update(ctx, d)
	}
}

func (s *workloads) pod(deployment, hash, revision string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, Name: deployment + "-" + hash,
			Labels: map[string]string{"app": deployment, appsv1.DefaultDeploymentUniqueLabelKey: hash, names.RevisionLabel: revision, names.ProxyUUIDLabel: "1"},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: deployment + "-" + hash, UID: "1", Controller: ptr.To(true),
			}},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}},
	}
	if revision == "" {
		delete(pod.Labels, names.RevisionLabel)
		delete(pod.Labels, names.ProxyUUIDLabel)
	}
	return pod
}

// activeRevision is the revision of the injector, or empty without an injector or its webhook.
func (s *workloads) activeRevision(ctx context.Context) string {
	webhook := &admissionv1.MutatingWebhookConfiguration{}
	if cluster.client.Get(ctx, client.ObjectKey{Name: names.MutatingWebhook(s.mesh)}, webhook) != nil {
		return ""
	}
	d := &appsv1.Deployment{}
	if cluster.client.Get(ctx, client.ObjectKey{Namespace: meshNamespace(s.mesh), Name: names.Injector}, d) != nil || len(d.OwnerReferences) == 0 {
		return ""
	}
	return d.OwnerReferences[0].Name
}

// wait waits until all pods have the sidecar of a revision.
func (s *workloads) wait(revision string, pods int) {
	s.t.Helper()
	eventually(s.t, func() error {
		var list corev1.PodList
		if err := cluster.client.List(s.t.Context(), &list, client.InNamespace(s.namespace), client.MatchingLabels{names.RevisionLabel: revision}); err != nil {
			return err
		}
		if len(list.Items) != pods {
			return fmt.Errorf("%d of %d pods have the sidecar of %s", len(list.Items), pods, revision)
		}
		return nil
	})
}

// fastUpgrades configures upgrades that do not wait, from the older version.
func fastUpgrades(spec *v1alpha1.MeshSpec) {
	spec.Version = ptr.To(olderVersion)
	spec.Upgrade = &v1alpha1.UpgradeSpec{
		Gates:     &v1alpha1.GatesSpec{Soak: &metav1.Duration{}, Timeout: &metav1.Duration{Duration: time.Minute}},
		DataPlane: &v1alpha1.DataPlaneSpec{PauseBetween: &metav1.Duration{}},
	}
}

// hasDuplicates reports whether a list contains a name twice.
func hasDuplicates(list []string) bool {
	sorted := slices.Sorted(slices.Values(list))
	return len(slices.Compact(sorted)) != len(list)
}
