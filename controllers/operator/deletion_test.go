package operator_test

import (
	"fmt"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func TestDeletionWaitsForSidecarsThenDeletesEverything(t *testing.T) {
	t.Parallel()
	const name = "leaving"
	mesh := readyMesh(t, name, deleteNamespace)
	allowNamespaceRead(t, name)
	shop := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "leaving-shop"}}
	create(t, shop)
	// The pod is created before the namespace has its label, because no injector runs in this cluster.
	pod := podWithSidecar(t, shop.Name, "leaving-v0-1-0")
	change(t, shop, func(n *corev1.Namespace) { n.Labels[names.MonitoredByLabel] = name })
	trust := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Name, Name: names.TrustConfigMap(name)}}
	waitFor(t, trust, func(*corev1.ConfigMap) error { return nil })

	if err := cluster.client.Delete(t.Context(), mesh); err != nil {
		t.Fatal(err)
	}
	c := waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForSidecars)
	assertContains(t, c.Message, "1 pod has a sidecar", shop.Name+"/"+pod.Name, names.MonitoredByLabel, "restart")
	// Removing the label does not change a running pod.
	change(t, shop, func(n *corev1.Namespace) { delete(n.Labels, names.MonitoredByLabel) })
	get(t, &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)})
	get(t, &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(name)}})
	waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForSidecars)

	if err := cluster.client.Delete(t.Context(), pod, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	waitGone(t, mesh)
	for _, object := range []client.Object{
		&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(name)}},
		&admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.ValidatingWebhook(name)}},
		&v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "leaving-v0-1-0"}},
		&appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)},
		&appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Injector)},
		&policyv1.PodDisruptionBudget{ObjectMeta: inMeshNamespace(name, names.Controller)},
		&corev1.Service{ObjectMeta: inMeshNamespace(name, names.Controller)},
		&corev1.ServiceAccount{ObjectMeta: inMeshNamespace(name, names.Controller)},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "osm-controller-leaving"}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "osm-injector-leaving"}},
		&rbacv1.Role{ObjectMeta: inMeshNamespace(name, names.Controller)},
		&rbacv1.RoleBinding{ObjectMeta: inMeshNamespace(name, names.Controller)},
		meshConfig(name), trust,
		&corev1.Secret{ObjectMeta: inMeshNamespace(name, secrets.InjectorCert)},
		&corev1.Secret{ObjectMeta: inMeshNamespace(name, names.CABundleSecret)},
	} {
		if found, err := exists(t.Context(), object); err != nil || found {
			t.Errorf("%T %s was left behind (%v)", object, object.GetName(), err)
		}
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace(name)}}
	if found, err := exists(t.Context(), namespace); err != nil || found && namespace.DeletionTimestamp == nil {
		t.Errorf("the namespace of the mesh is not deleted (%v)", err)
	}
}

// podWithSidecar creates a pod with the labels of an injected one.
func podWithSidecar(t *testing.T, namespace, revision string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web", Labels: map[string]string{
			names.ProxyUUIDLabel: "0b8ef52c-8f3e-4a3c-9a6b-2f5a3d1c9e77", names.RevisionLabel: revision,
		}},
		Spec: injectedSpec(),
	}
	createInjected(t, pod)
	return pod
}

// A sidecar of one mesh does not block the deletion of another mesh.
func TestDeletionDoesNotWaitForOtherMeshes(t *testing.T) {
	t.Parallel()
	const name = "alone"
	mesh := readyMesh(t, name, nil)
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "alone-other"}})
	podWithSidecar(t, "alone-other", "alone-too-v0-1-0")
	if err := cluster.client.Delete(t.Context(), mesh); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		found, err := exists(t.Context(), mesh)
		if err == nil && found {
			err = fmt.Errorf("the mesh still exists: %+v", mesh.Status.Conditions)
		}
		return err
	})
}
