package operator_test

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// The revision of a new version takes over the objects before the old revision is deleted, so no object is deleted.
func TestNewRevisionTakesOverBeforeTheOldOneIsDeleted(t *testing.T) {
	t.Parallel()
	const name = "moving"
	mesh := readyMesh(t, name, fastUpgrades)
	old := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "moving-v0-0-9"}}
	get(t, old)
	account := &corev1.ServiceAccount{ObjectMeta: inMeshNamespace(name, names.Injector)}
	get(t, account)
	earlier := account.UID

	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	waitGone(t, old)
	waitReady(t, mesh)
	next := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "moving-v0-1-0"}}
	get(t, next)
	for _, component := range []string{names.Controller, names.Injector} {
		deployment := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, component)}
		get(t, deployment)
		if len(deployment.OwnerReferences) != 0 {
			t.Errorf("%s is owned by %v, want no owner", component, deployment.OwnerReferences)
		}
		if version := deployment.Labels[names.VersionLabel]; version != operatorVersion {
			t.Errorf("%s has version %s", component, version)
		}
	}
	get(t, account)
	if account.UID != earlier || len(account.OwnerReferences) != 0 {
		t.Errorf("the ServiceAccount was recreated or has an owner: %+v", account.ObjectMeta)
	}
	eventually(t, func() error {
		get(t, mesh)
		if len(mesh.Status.Revisions) != 1 || mesh.Status.Revisions[0].Version != operatorVersion {
			return fmt.Errorf("revisions = %+v", mesh.Status.Revisions)
		}
		return nil
	})
	waitEvent(t, olderVersion, "Replaced", "version v0.1.0 has replaced")
}
