package operator_test

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// deleteNamespace requests that the namespace is deleted with the mesh.
func deleteNamespace(spec *v1alpha1.MeshSpec) {
	spec.Removal = &v1alpha1.RemovalSpec{Namespace: ptr.To(v1alpha1.NamespaceDelete)}
}

// allowNamespaceRead allows the operator to list everything in the namespace of a mesh.
func allowNamespaceRead(t *testing.T, mesh string) {
	t.Helper()
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: inMeshNamespace(mesh, "osm-operator-namespace-reader"),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "osm-operator-namespace-reader"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "osm-operator"}},
	})
}

// leftNamespace removes a mesh, and returns its namespace.
func leftNamespace(t *testing.T, mesh *v1alpha1.Mesh) *corev1.Namespace {
	t.Helper()
	remove(t, mesh)
	waitGone(t, mesh)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace(mesh.Name)}}
	get(t, namespace)
	return namespace
}

// A namespace that is deleted by default takes along what somebody puts there between the look and the deletion.
func TestNamespaceRemainsByDefault(t *testing.T) {
	t.Parallel()
	const name = "remainingkept"
	if namespace := leftNamespace(t, readyMesh(t, name, nil)); namespace.DeletionTimestamp != nil {
		t.Error("the namespace is deleted, which nobody has requested")
	}
	waitEvent(t, meshNamespace(name), "NamespaceKept", "spec.removal.namespace is Retain")
}

// A namespace of which the operator cannot list everything may contain anything.
func TestNamespaceThatCannotBeReadRemains(t *testing.T) {
	t.Parallel()
	const name = "remainingblind"
	if namespace := leftNamespace(t, readyMesh(t, name, deleteNamespace)); namespace.DeletionTimestamp != nil {
		t.Error("a namespace with unknown objects was deleted")
	}
	waitEvent(t, meshNamespace(name), "NamespaceKept", "bind the ClusterRole osm-operator-namespace-reader")
}

// A look at some kinds only deletes the objects of all others with the namespace.
func TestNamespaceWithUnmanagedObjectRemains(t *testing.T) {
	t.Parallel()
	meta := func(mesh string) metav1.ObjectMeta { return inMeshNamespace(mesh, "mine") }
	pod := corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "run", Image: "example/run:1"}},
	}}
	for kind, object := range map[string]func(mesh string) client.Object{
		"configmap": func(m string) client.Object { return &corev1.ConfigMap{ObjectMeta: meta(m)} },
		"secret":    func(m string) client.Object { return &corev1.Secret{ObjectMeta: meta(m)} },
		"job": func(m string) client.Object {
			return &batchv1.Job{ObjectMeta: meta(m), Spec: batchv1.JobSpec{Template: pod}}
		},
		"networkpolicy": func(m string) client.Object { return &networkingv1.NetworkPolicy{ObjectMeta: meta(m)} },
		"rolebinding": func(m string) client.Object {
			return &rbacv1.RoleBinding{ObjectMeta: meta(m), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}}
		},
		"retry": func(m string) client.Object {
			return &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "policy.openservicemesh.io/v1alpha1", "kind": "Retry",
				"metadata": map[string]any{"namespace": meshNamespace(m), "name": "mine"},
				"spec": map[string]any{
					"source":       map[string]any{"kind": "ServiceAccount", "name": "a", "namespace": meshNamespace(m)},
					"destinations": []any{map[string]any{"kind": "Service", "name": "b", "namespace": meshNamespace(m)}},
					"retryPolicy":  map[string]any{"retryOn": "5xx", "numRetries": int64(1), "perTryTimeout": "1s", "retryBackoffBaseInterval": "1s"},
				},
			}}
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			name := "remaining" + kind
			mesh := readyMesh(t, name, deleteNamespace)
			allowNamespaceRead(t, name)
			own := object(name)
			create(t, own)
			if namespace := leftNamespace(t, mesh); namespace.DeletionTimestamp != nil {
				t.Errorf("a namespace with a %s of a user was deleted", kind)
			}
			get(t, own)
			waitEvent(t, meshNamespace(name), "NamespaceKept", kind+" mine")
		})
	}
}
