package operator_test

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Whatever changes about new pods, running pods get it as they get another version: through the gates, in waves, and with an entry in the history.
func TestOtherSidecarsAreAnUpgrade(t *testing.T) {
	t.Parallel()
	const name = "othersidecars"
	mesh := readyMesh(t, name, fastUpgrades)
	s := newWorkloads(t, name, "cart", "search")
	s.wait(name+"-v0-0-9", 2)
	injector := deploymentUID(t, name, names.Injector)
	for cause, edit := range map[string]func(*v1alpha1.SidecarSpec){
		"the image":  func(s *v1alpha1.SidecarSpec) { s.Image = ptr.To("example/envoy:fixed") },
		"statistics": func(s *v1alpha1.SidecarSpec) { s.Statistics = ptr.To("All") },
		"resources": func(s *v1alpha1.SidecarSpec) {
			s.Resources = &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}}
		},
	} {
		get(t, mesh)
		entries := len(mesh.Status.History)
		change(t, mesh, func(m *v1alpha1.Mesh) {
			if m.Spec.Sidecar == nil {
				m.Spec.Sidecar = &v1alpha1.SidecarSpec{}
			}
			edit(m.Spec.Sidecar)
		})
		waitFor(t, mesh, func(m *v1alpha1.Mesh) error {
			if len(m.Status.History) != entries+1 {
				return fmt.Errorf("the history is %+v, want another entry for %s", m.Status.History, cause)
			}
			return nil
		})
		entry := waitHistory(t, mesh, v1alpha1.ResultSucceeded, olderVersion, olderVersion)
		s.wait(entry.Revision, 2)
		waitReady(t, mesh)
		waitOnlyRevision(t, name, entry.Revision)
	}
	if after := deploymentUID(t, name, names.Injector); after != injector {
		t.Error("the Deployment of the injector was replaced")
	}
}

// waitOnlyRevision waits until a mesh has one MeshRevision.
func waitOnlyRevision(t *testing.T, mesh, revision string) {
	t.Helper()
	eventually(t, func() error {
		var list v1alpha1.MeshRevisionList
		if err := cluster.client.List(t.Context(), &list, client.MatchingLabels(operand.Labels(mesh, olderVersion))); err != nil {
			return err
		}
		if len(list.Items) != 1 || list.Items[0].Name != revision {
			return fmt.Errorf("%d MeshRevisions exist, want %s only", len(list.Items), revision)
		}
		return nil
	})
}

// deploymentUID returns the UID of a Deployment of the control plane.
func deploymentUID(t *testing.T, mesh, name string) types.UID {
	t.Helper()
	d := &appsv1.Deployment{ObjectMeta: inMeshNamespace(mesh, name)}
	get(t, d)
	return d.UID
}

// A sidecar that fails is given up: new pods and running ones get the earlier one again. Another one is tried.
func TestOtherSidecarsAreRolledBack(t *testing.T) {
	t.Parallel()
	const name = "badsidecars"
	mesh := readyMesh(t, name, fastUpgrades)
	s := newWorkloads(t, name, "cart", "search")
	first := name + "-v0-0-9"
	s.wait(first, 2)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Upgrade.Gates.Soak = ptr.To(v1alpha1.Duration("1h")) })
	change(t, meshConfig(name), func(c *configv1alpha2.MeshConfig) { c.Spec.Sidecar.EnvoyImage = "example/envoy:bad" })
	condition := waitCondition(t, mesh, v1alpha1.ConditionUpgrading, metav1.ConditionTrue, v1alpha1.ReasonUpgrading)
	assertContains(t, condition.Message, "from version "+olderVersion+" to MeshRevision "+first+"-")
	waitCondition(t, mesh, v1alpha1.ConditionDataPlaneUpToDate, metav1.ConditionFalse, v1alpha1.ReasonSidecarsOutdated)
	failing := healthy()
	failing.Proxies.Rejecting, failing.Proxies.Rejections = 1, []health.Rejection{{Workload: "shop/cart", Sidecars: []string{"shop/cart rejects LDS: no such filter"}}}
	cluster.health.set(meshNamespace(name), olderVersion, failing)
	entry := waitHistory(t, mesh, v1alpha1.ResultRolledBack, olderVersion, olderVersion)
	assertContains(t, entry.Reason, "no such filter")
	waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRolledBack)
	s.wait(first, 2)
	if revision := injectorRevision(t, name); revision != first {
		t.Errorf("the injector is of the revision %s, want %s", revision, first)
	}
	cluster.health.set(meshNamespace(name), olderVersion, healthy())
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Upgrade.Gates.Soak = ptr.To(v1alpha1.Duration("0s")) })
	change(t, meshConfig(name), func(c *configv1alpha2.MeshConfig) { c.Spec.Sidecar.EnvoyImage = "example/envoy:good" })
	good := waitHistory(t, mesh, v1alpha1.ResultSucceeded, olderVersion, olderVersion)
	s.wait(good.Revision, 2)
	waitReady(t, mesh)
}

// injectorRevision returns the MeshRevision whose injector runs.
func injectorRevision(t *testing.T, mesh string) string {
	t.Helper()
	d := &appsv1.Deployment{ObjectMeta: inMeshNamespace(mesh, names.Injector)}
	get(t, d)
	return d.Spec.Template.Labels[names.ControlPlaneRevisionLabel]
}

// Somebody deletes the MeshRevision of the sidecars that run in the middle of an upgrade to others. It exists again, and the way back leads to it.
func TestDeletedRevisionOfEarlierSidecarsIsRestored(t *testing.T) {
	t.Parallel()
	const name = "lostsidecars"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		fastUpgrades(spec)
		spec.Sidecar = &v1alpha1.SidecarSpec{Image: ptr.To("example/envoy:first")}
	})
	first := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: name + "-v0-0-9"}}
	change(t, mesh, func(m *v1alpha1.Mesh) {
		m.Spec.Upgrade.Gates.Soak, m.Spec.Sidecar.Image = ptr.To(v1alpha1.Duration("1h")), ptr.To("example/envoy:second")
	})
	waitCondition(t, mesh, v1alpha1.ConditionUpgrading, metav1.ConditionTrue, v1alpha1.ReasonUpgrading)
	eventually(t, func() error {
		if revision := injectorRevision(t, name); revision == first.Name {
			return fmt.Errorf("the injector is still of the revision %s", revision)
		}
		return nil
	})
	get(t, first)
	deleted := first.UID
	remove(t, first)
	waitRecreated(t, first, deleted)
	if sidecar := first.Spec.Sidecar; sidecar == nil || sidecar.Image != "example/envoy:first" {
		t.Errorf("new pods of the restored revision get %+v, want example/envoy:first", sidecar)
	}
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Sidecar.Image = ptr.To("example/envoy:first") })
	waitReady(t, mesh)
	waitOnlyRevision(t, name, first.Name)
	if revision := injectorRevision(t, name); revision != first.Name {
		t.Errorf("the injector is of the revision %s, want %s", revision, first.Name)
	}
}
