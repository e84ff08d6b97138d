package removal

import (
	"context"
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// needed are the objects that the sidecars of a mesh need.
func (m mesh) needed() []client.Object {
	inNamespace := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: m.namespace(), Name: name} }
	return []client.Object{
		&appsv1.Deployment{ObjectMeta: inNamespace(names.Controller)}, &appsv1.Deployment{ObjectMeta: inNamespace(names.Injector)},
		&corev1.Service{ObjectMeta: inNamespace(names.Controller)}, &corev1.Service{ObjectMeta: inNamespace(names.Injector)},
		&corev1.Secret{ObjectMeta: inNamespace(names.CABundleSecret)}, &corev1.Secret{ObjectMeta: inNamespace(names.ActiveCASecret)},
		&configv1alpha2.MeshConfig{ObjectMeta: inNamespace(names.MeshConfig)},
		&corev1.ConfigMap{ObjectMeta: m.objectMeta(names.TrustConfigMap(m.name))},
	}
}

// deleteInForeground deletes the Mesh as kubectl delete --cascade=foreground and the finalizer of Argo CD do, and waits until the garbage collector
// has deleted what the Mesh owns.
func (m mesh) deleteInForeground() {
	m.t.Helper()
	live := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: m.name}}
	lab.Must(m.t, cluster.Client.Delete(m.t.Context(), live, client.PropagationPolicy(metav1.DeletePropagationForeground)))
	lab.Eventually(m.t, removalLimit, "the garbage collector is done", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(live), live)
		return !slices.Contains(live.Finalizers, metav1.FinalizerDeleteDependents), fmt.Sprint(live.Finalizers), err
	})
	m.awaitReason(v1alpha1.ReasonWaitingForSidecars, "Pod "+m.shop()+"/buyer")
}

// uids returns the UIDs of objects.
func uids(t *testing.T, objects []client.Object) map[string]types.UID {
	t.Helper()
	found := map[string]types.UID{}
	for _, object := range objects {
		lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(object), object))
		if object.GetDeletionTimestamp() != nil {
			t.Errorf("%T %s is being deleted", object, object.GetName())
		}
		found[fmt.Sprintf("%T %s", object, object.GetName())] = object.GetUID()
	}
	return found
}

// assertKept verifies that the objects that sidecars need are the same as before.
func (m mesh) assertKept(before map[string]types.UID) {
	m.t.Helper()
	for name, uid := range uids(m.t, m.needed()) {
		if before[name] != uid {
			m.t.Errorf("%s was replaced: its UID is %s, was %s", name, uid, before[name])
		}
	}
}

// TestForegroundDeletionWaitsForSidecars deletes a Mesh in the foreground while sidecars run. Calls and new pods work until the last sidecar is
// gone. The deletion can be undone, and the mesh keeps its certificate authority.
func TestForegroundDeletionWaitsForSidecars(t *testing.T) {
	m := newMesh(t, "fore", v1alpha1.SidecarsWait)
	lab.Must(t, cluster.Put(t.Context(), fmt.Sprintf(policy, m.shop(), "store")))
	m.deploy("store", 1)
	buyer := m.pod(m.shop(), "buyer", "")
	m.awaitReady()
	load := m.startLoad("buyer", buyer, "store", "90")
	before := uids(t, m.needed())

	m.deleteInForeground()
	m.assertKept(before)
	m.pod(m.shop(), "newcomer", "")

	// The way back of docs/help/deleted-the-mesh.md.
	live, err := m.read(t.Context())
	lab.Must(t, err)
	lab.Must(t, cluster.Patch(t.Context(), live, `{"metadata":{"finalizers":null}}`))
	lab.Must(t, m.awaitGone(t.Context()))
	lab.Must(t, cluster.Put(t.Context(), fmt.Sprintf(manifest, m.name, v1alpha1.SidecarsWait)))
	lab.Must(t, cluster.MeshReady(t.Context(), m.name, installLimit))
	m.assertKept(before)
	m.finishLoad(load)

	m.deleteInForeground()
	m.assertKept(before)
	lab.Must(t, cluster.DeleteNamespace(t.Context(), m.shop()))
	lab.Must(t, m.awaitGone(t.Context()))
	m.awaitNoObjects()
}
