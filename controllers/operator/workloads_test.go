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
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// workloads is a namespace with Deployments of one pod each. Their pods get the sidecar of the active revision.
type workloads struct {
	t         *testing.T
	mesh      string
	namespace string
	// restarted holds the Deployments in the order of their restarts.
	restarted []string
	// counted has the generation of each Deployment that is part of restarted.
	counted map[string]int64
	done    chan struct{}
}

// newWorkloads creates the Deployments, and simulates Deployment controller, injector and kubelet until the test ends. No injector runs in
// this cluster, so the pods are created before the namespace joins the mesh. A restart changes their labels.
func newWorkloads(t *testing.T, mesh string, deployments ...string) *workloads {
	t.Helper()
	s := &workloads{t: t, mesh: mesh, namespace: mesh + "-shop", counted: map[string]int64{}, done: make(chan struct{})}
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
	s.join(len(deployments))
	return s
}

// join makes the namespace a member of the mesh when all pods exist.
func (s *workloads) join(pods int) {
	s.t.Helper()
	eventually(s.t, func() error {
		var list corev1.PodList
		if err := cluster.client.List(s.t.Context(), &list, client.InNamespace(s.namespace)); err != nil {
			return err
		}
		if len(list.Items) < pods {
			return fmt.Errorf("%d of %d pods exist", len(list.Items), pods)
		}
		return nil
	})
	change(s.t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}, func(n *corev1.Namespace) { n.Labels[names.MonitoredByLabel] = s.mesh })
}

// replacePods replaces the pod of every Deployment whose template has changed.
func (s *workloads) replacePods(ctx context.Context, deployments []string) {
	for _, name := range deployments {
		d := &appsv1.Deployment{}
		if cluster.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, d) != nil || d.Status.ObservedGeneration == d.Generation {
			continue
		}
		if d.Generation > 1 && s.counted[name] != d.Generation {
			s.restarted = append(s.restarted, name)
			s.counted[name] = d.Generation
		}
		if !s.replacePod(ctx, name, fmt.Sprintf("%d", d.Generation)) {
			continue
		}
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
		_ = cluster.client.Status().Update(ctx, d)
	}
}

// replacePod gives the pod of a Deployment the sidecar of a new pod, and makes it ready. A pod without a sidecar is a new one, because
// containers of a pod cannot change.
func (s *workloads) replacePod(ctx context.Context, name, hash string) bool {
	desired := s.pod(name, hash, s.activeRevision(ctx))
	var list corev1.PodList
	if cluster.client.List(ctx, &list, client.InNamespace(s.namespace), client.MatchingLabels{"app": name}) != nil {
		return false
	}
	pod := desired
	switch {
	case len(list.Items) == 1 && desired.Labels[names.RevisionLabel] != "":
		pod = &list.Items[0]
		pod.Labels, pod.OwnerReferences = desired.Labels, desired.OwnerReferences
		if cluster.client.Update(ctx, pod) != nil {
			return false
		}
	default:
		_ = cluster.client.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(s.namespace), client.MatchingLabels{"app": name}, client.GracePeriodSeconds(0))
		// The pod exists if the Deployment changed before its status was written.
		if err := cluster.client.Create(ctx, pod); err != nil && !apierrors.IsAlreadyExists(err) {
			s.t.Log(err)
			return false
		}
	}
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()},
	}}
	_ = cluster.client.Status().Update(ctx, pod)
	return true
}

// createInjected creates a pod with a sidecar also in a namespace of a mesh, without its injector.
func createInjected(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	namespace, member := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: pod.Namespace}}, ""
	change(t, namespace, func(n *corev1.Namespace) {
		member = n.Labels[names.MonitoredByLabel]
		delete(n.Labels, names.MonitoredByLabel)
	})
	// The API server calls the webhook until it has observed the namespace.
	eventually(t, func() error { return cluster.client.Create(t.Context(), pod) })
	if member != "" {
		change(t, namespace, func(n *corev1.Namespace) { n.Labels[names.MonitoredByLabel] = member })
	}
}

// injectedSpec is the spec of a pod with a sidecar.
func injectedSpec() corev1.PodSpec {
	return corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: names.SidecarContainer, Image: "example/envoy:1", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}},
		Containers:     []corev1.Container{{Name: "app", Image: "example/app:1"}},
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
		Spec: injectedSpec(),
	}
	if revision == "" {
		delete(pod.Labels, names.RevisionLabel)
		delete(pod.Labels, names.ProxyUUIDLabel)
		pod.Spec.InitContainers = nil
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
	if cluster.client.Get(ctx, client.ObjectKey{Namespace: meshNamespace(s.mesh), Name: names.Injector}, d) != nil {
		return ""
	}
	return d.Spec.Template.Labels[names.ControlPlaneRevisionLabel]
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
		Gates:     &v1alpha1.GatesSpec{Soak: ptr.To(v1alpha1.Duration("0s")), Timeout: ptr.To(v1alpha1.NewDuration(time.Minute))},
		DataPlane: &v1alpha1.DataPlaneSpec{PauseBetween: ptr.To(v1alpha1.Duration("0s"))},
	}
}

// hasDuplicates reports whether a list contains a name twice.
func hasDuplicates(list []string) bool {
	sorted := slices.Sorted(slices.Values(list))
	return len(slices.Compact(sorted)) != len(list)
}
