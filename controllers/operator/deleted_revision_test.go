package operator_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Somebody deletes the MeshRevision of the version that runs after a rollback. The version that was given up must not take its place.
func TestDeletedRevisionAfterRollbackIsRestored(t *testing.T) {
	t.Parallel()
	const name = "restored"
	mesh := readyMesh(t, name, fastUpgrades)
	s := newWorkloads(t, name, "cart")
	s.wait("restored-v0-0-9", 1)
	unhealthy := healthy()
	unhealthy.Proxies.Rejecting = 1
	unhealthy.Proxies.Rejections = []health.Rejection{{Workload: "shop/cart", Sidecars: []string{"shop/cart rejects LDS: no such filter"}}}
	cluster.health.set(meshNamespace(name), operatorVersion, unhealthy)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	waitHistory(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
	waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRolledBack)
	waitRoles(t, mesh, map[string]v1alpha1.Role{olderVersion: v1alpha1.RoleActive, operatorVersion: v1alpha1.RoleStandby})
	before := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)}
	get(t, before)

	revision := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "restored-v0-0-9"}}
	get(t, revision)
	deleted := revision.UID
	remove(t, revision)
	waitRecreated(t, revision, deleted)
	waitEvent(t, operatorVersion, "RevisionRestored", "restored-v0-0-9")
	waitRoles(t, mesh, map[string]v1alpha1.Role{olderVersion: v1alpha1.RoleActive, operatorVersion: v1alpha1.RoleStandby})
	condition := waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRolledBack)
	assertContains(t, condition.Message, operatorVersion, "no such filter")
	after := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)}
	get(t, after)
	if diff := cmp.Diff(before.Spec.Template, after.Spec.Template); after.UID != before.UID || diff != "" {
		t.Errorf("the Deployment was replaced, or its pods are (-before +after):\n%s", diff)
	}
}
