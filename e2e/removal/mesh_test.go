package removal

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// manifest is a Mesh that denies by default and restarts workloads quickly.
const manifest = `apiVersion: operator.openservicemesh.io/v1alpha1
kind: Mesh
metadata: {name: %[1]s}
spec:
  namespace: %[1]s-system
  controlPlane: {controller: {replicas: 1}, injector: {replicas: 1}}
  upgrade:
    gates: {timeout: 90s}
    dataPlane: {maxUnavailable: 50%%, pauseBetween: 2s}
  removal: {sidecars: %[2]s, namespace: Delete}
`

// reader allows the operator to list everything in the namespace of the mesh.
const reader = `apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: osm-operator-namespace-reader, namespace: %[1]s-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: osm-operator-namespace-reader}
subjects: [{kind: ServiceAccount, name: osm-operator, namespace: osm-operator-system}]
`

// mesh is the Mesh of a scenario.
type mesh struct {
	t    *testing.T
	name string
}

// newMesh creates a Mesh and waits until it is ready. It is removed after the test.
func newMesh(t *testing.T, name string, sidecars v1alpha1.SidecarRemoval) mesh {
	t.Helper()
	m := mesh{t, name}
	text := fmt.Sprintf(manifest, name, sidecars)
	lab.Must(t, cluster.DeleteNamespace(t.Context(), m.shop()))
	lab.Must(t, cluster.Remove(t.Context(), text))
	lab.Must(t, m.awaitGone(t.Context()))
	lab.Must(t, cluster.Put(t.Context(), text))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		if t.Failed() {
			t.Log(m.removalStatus(ctx), cluster.Describe(ctx, m.shop()), cluster.ControlPlaneLogs(ctx, m.namespace()))
		}
		if err := cluster.DeleteNamespace(ctx, m.shop()); err != nil {
			t.Error(err)
		}
		if err := cluster.Remove(ctx, text); err != nil {
			t.Error(err)
		}
		if err := m.awaitGone(ctx); err != nil {
			t.Error(err)
		}
	})
	lab.Must(t, cluster.MeshReady(t.Context(), name, installLimit))
	lab.Must(t, cluster.Put(t.Context(), fmt.Sprintf(reader, name)))
	lab.Must(t, cluster.CreateNamespace(t.Context(), m.shop(), name))
	return m
}

// namespace is the namespace of the control plane, shop that of the workloads.
func (m mesh) namespace() string { return m.name + "-system" }
func (m mesh) shop() string      { return m.name + "-shop" }

// read reads the Mesh.
func (m mesh) read(ctx context.Context) (*v1alpha1.Mesh, error) {
	live := &v1alpha1.Mesh{}
	return live, cluster.Client.Get(ctx, client.ObjectKey{Name: m.name}, live)
}

// delete starts the removal.
func (m mesh) delete() {
	m.t.Helper()
	lab.Must(m.t, cluster.Client.Delete(m.t.Context(), &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: m.name}}))
}

// removalStatus returns the removal phase and message in the status.
func (m mesh) removalStatus(ctx context.Context) string {
	live, err := m.read(ctx)
	switch {
	case err != nil:
		return err.Error()
	case live.Status.Removal != nil:
		return fmt.Sprintf("%s: %.400s", live.Status.Removal.Phase, live.Status.Removal.Message)
	}
	return lab.Conditions(live.Status.Conditions)
}

// awaitReason waits until the Mesh's Ready condition has the reason and its message contains the words. Phases on the way are
// logged.
func (m mesh) awaitReason(reason string, words ...string) {
	m.t.Helper()
	start, last := time.Now(), ""
	lab.Eventually(m.t, removalLimit, m.name+" has reason "+reason, func(ctx context.Context) (bool, string, error) {
		live, err := m.read(ctx)
		if err != nil {
			return false, "", err
		}
		if now := m.removalStatus(ctx); now != last {
			m.t.Logf("%5.1fs %s", time.Since(start).Seconds(), now)
			last = now
		}
		ready := meta.FindStatusCondition(live.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Reason != reason {
			return false, last, nil
		}
		for _, word := range words {
			if !strings.Contains(ready.Message, word) {
				return false, last, nil
			}
		}
		return true, last, nil
	})
}

// awaitGone waits until the Mesh is gone.
func (m mesh) awaitGone(ctx context.Context) error {
	return lab.Until(ctx, removalLimit, "Mesh "+m.name+" is gone", func(ctx context.Context) (bool, string, error) {
		_, err := m.read(ctx)
		return apierrors.IsNotFound(err), m.removalStatus(ctx), client.IgnoreNotFound(err)
	})
}

// awaitNoObjects waits until no object has the label of the mesh, or its name for kinds without the label.
func (m mesh) awaitNoObjects() {
	m.t.Helper()
	lab.Eventually(m.t, removalLimit, "everything of the mesh is gone", func(ctx context.Context) (bool, string, error) {
		var remaining []string
		for _, kind := range []schema.GroupVersionKind{
			v1alpha1.GroupVersion.WithKind("MeshRevision"), corev1.SchemeGroupVersion.WithKind("Namespace"), corev1.SchemeGroupVersion.WithKind("Service"),
			corev1.SchemeGroupVersion.WithKind("ConfigMap"), corev1.SchemeGroupVersion.WithKind("Secret"), corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
			appsv1.SchemeGroupVersion.WithKind("Deployment"), rbacv1.SchemeGroupVersion.WithKind("ClusterRole"), rbacv1.SchemeGroupVersion.WithKind("ClusterRoleBinding"),
			admissionv1.SchemeGroupVersion.WithKind("MutatingWebhookConfiguration"), admissionv1.SchemeGroupVersion.WithKind("ValidatingWebhookConfiguration"),
		} {
			list := &metav1.PartialObjectMetadataList{}
			list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
			if err := cluster.Client.List(ctx, list); err != nil {
				return false, "", err
			}
			for _, item := range list.Items {
				hasName := item.Name == names.MutatingWebhook(m.name) || item.Name == names.ValidatingWebhook(m.name) || item.Name == names.TrustConfigMap(m.name)
				if hasName || item.Labels[names.MeshLabel] == m.name || item.Namespace == m.namespace() || kind.Kind == "Namespace" && item.Name == m.namespace() {
					remaining = append(remaining, kind.Kind+" "+item.Namespace+"/"+item.Name)
				}
			}
		}
		return len(remaining) == 0, strings.Join(remaining, ", "), nil
	})
}
