package operator_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// restartOnRemoval configures a removal that restarts workloads one at a time, without pauses.
func restartOnRemoval(spec *v1alpha1.MeshSpec) {
	fastUpgrades(spec)
	spec.Upgrade.DataPlane.MaxUnavailable = ptr.To(intstr.FromInt32(1))
	spec.Upgrade.DataPlane.Restart = ptr.To(v1alpha1.RestartManual)
	spec.Removal = &v1alpha1.RemovalSpec{Sidecars: ptr.To(v1alpha1.SidecarsRestart)}
}

// waitRemovalPhase waits for a phase of a removal and returns its status.
func waitRemovalPhase(t *testing.T, mesh *v1alpha1.Mesh, phase v1alpha1.RemovalPhase) v1alpha1.RemovalStatus {
	t.Helper()
	eventually(t, func() error {
		if err := cluster.client.Get(t.Context(), client.ObjectKeyFromObject(mesh), mesh); err != nil {
			return err
		}
		if mesh.Status.Removal == nil || mesh.Status.Removal.Phase != phase {
			return fmt.Errorf("the removal is at %+v, want %s", mesh.Status.Removal, phase)
		}
		return nil
	})
	return *mesh.Status.Removal
}

// teardownMode returns the teardown mode in the MeshConfig of a mesh.
func teardownMode(t *testing.T, mesh string) string {
	t.Helper()
	config := meshConfig(mesh)
	get(t, config)
	return config.Annotations[names.TeardownAnnotation]
}

func remove(t *testing.T, object client.Object, options ...client.DeleteOption) {
	t.Helper()
	if err := cluster.client.Delete(t.Context(), object, options...); err != nil {
		t.Fatal(err)
	}
}

func TestRemovalPhases(t *testing.T) {
	t.Parallel()
	const name = "takeout"
	mesh := readyMesh(t, name, restartOnRemoval)
	s := newWorkloads(t, name, "cart", "mail", "search")
	s.wait("takeout-v0-0-9", 3)
	optedOut := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "mail"}}
	change(t, optedOut, func(d *appsv1.Deployment) { d.Labels = map[string]string{names.RestartLabel: "disabled"} })
	batch := podWithSidecar(t, s.namespace, "takeout-v0-0-9")
	behind := healthy()
	behind.Proxies.Behind = 1
	cluster.health.set(meshNamespace(name), olderVersion, behind)
	remove(t, mesh)

	// Restarts start, and injection ends, only after all sidecars accept connections from pods without a sidecar.
	status := waitRemovalPhase(t, mesh, v1alpha1.RemovalOpening)
	if status.Sidecars != 4 || teardownMode(t, name) != names.TeardownOpen {
		t.Errorf("%d sidecars remain in teardown mode %q, want 4 in mode open", status.Sidecars, teardownMode(t, name))
	}
	eventually(t, func() error {
		get(t, mesh)
		if text := mesh.Status.Removal.Message; text != "" && mesh.Status.Removal.Phase == v1alpha1.RemovalOpening {
			if !strings.Contains(text, "1 have not accepted it yet") {
				return fmt.Errorf("the status does not contain the number of unacknowledged sidecars: %s", text)
			}
		}
		return nil
	})
	get(t, &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(name)}})
	cluster.health.set(meshNamespace(name), olderVersion, healthy())
	waitRemovalPhase(t, mesh, v1alpha1.RemovalTransparent)
	get(t, &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(name)}})
	if mode := teardownMode(t, name); mode != names.TeardownPassthrough {
		t.Errorf("the teardown mode is %q, want passthrough", mode)
	}
	waitRemovalPhase(t, mesh, v1alpha1.RemovalInjectionOff)
	if len(s.restarts()) > 0 {
		t.Errorf("workloads were restarted before injection was off: %v", s.restarts())
	}
	waitGone(t, &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(name)}})
	waitRemovalPhase(t, mesh, v1alpha1.RemovalRestarting)
	s.waitWithout("cart", "search")

	// The removal reports and waits for workloads that opted out or cannot be restarted. The control plane still runs.
	condition := waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForSidecars)
	assertContains(t, condition.Message, "2 pods have a sidecar", "Deployment "+s.namespace+"/mail (opted out", "Pod "+s.namespace+"/web")
	get(t, &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)})
	if again := s.restarts(); again["cart"] != 1 || again["search"] != 1 || len(again) != 2 {
		t.Errorf("the restarts are %v, want one of cart and one of search", again)
	}
	remove(t, batch, client.GracePeriodSeconds(0))
	change(t, optedOut, func(d *appsv1.Deployment) { d.Labels = nil })
	waitGone(t, mesh)
	waitGone(t, meshConfig(name))
}

// The removal policy can change from Wait to Restart during a removal. The content of a user's MeshConfig is preserved.
func TestRemovalChangesFromWaitToRestart(t *testing.T) {
	t.Parallel()
	const name = "impatient"
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace(name)}})
	own := meshConfig(name)
	own.Annotations = map[string]string{"example.com/mine": "yes"}
	own.Spec.Certificate.ServiceCertValidityDuration = "24h"
	own.Spec.Certificate.CertKeyBitSize = 2048
	create(t, own)
	mesh := readyMesh(t, name, fastUpgrades)
	s := newWorkloads(t, name, "cart")
	s.wait("impatient-v0-0-9", 1)
	remove(t, mesh)
	condition := waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForSidecars)
	assertContains(t, condition.Message, "1 pod has a sidecar", "Deployment impatient-shop/cart", "spec.removal.sidecars")
	if mode := teardownMode(t, name); mode != "" || len(s.restarts()) > 0 {
		t.Errorf("a waiting removal has teardown mode %q and restarted %v", mode, s.restarts())
	}
	change(t, mesh, restartNow)
	waitGone(t, mesh)
	get(t, own)
	if _, said := own.Annotations[names.TeardownAnnotation]; said || own.Annotations["example.com/mine"] != "yes" {
		t.Errorf("the MeshConfig of the user has the annotations %v", own.Annotations)
	}
}

func restartNow(m *v1alpha1.Mesh) {
	m.Spec.Removal = &v1alpha1.RemovalSpec{Sidecars: ptr.To(v1alpha1.SidecarsRestart)}
}

// A removal continues after a timeout if the control plane does not respond.
func TestRemovalContinuesWithoutControlPlaneAfterTimeout(t *testing.T) {
	t.Parallel()
	const name = "silent"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		restartOnRemoval(spec)
		spec.Upgrade.Gates.Timeout = ptr.To(v1alpha1.NewDuration(10 * time.Second))
	})
	s := newWorkloads(t, name, "cart")
	s.wait("silent-v0-0-9", 1)
	cluster.health.set(meshNamespace(name), olderVersion, health.Observation{})
	remove(t, mesh)
	eventually(t, func() error {
		get(t, mesh)
		if mesh.Status.Removal == nil || !strings.Contains(mesh.Status.Removal.Message, "does not say how far they are") {
			return fmt.Errorf("the removal is at %+v", mesh.Status.Removal)
		}
		return nil
	})
	waitEvent(t, "silent-v0-0-9", "SidecarsNotConfigured", "calls may fail")
	waitRemovalPhase(t, mesh, v1alpha1.RemovalInjectionOff)
	s.waitWithout("cart")
	waitGone(t, mesh)
}

// Only the operator sets the teardown mode, and only during a removal.
func TestTeardownAnnotationOfUserIsReverted(t *testing.T) {
	t.Parallel()
	const name = "staying"
	readyMesh(t, name, nil)
	config := meshConfig(name)
	change(t, config, func(c *configv1alpha2.MeshConfig) {
		c.Annotations = map[string]string{names.TeardownAnnotation: names.TeardownOpen}
	})
	eventually(t, func() error {
		get(t, config)
		if said := config.Annotations[names.TeardownAnnotation]; said != "" {
			return fmt.Errorf("the MeshConfig still has teardown mode %q", said)
		}
		return nil
	})
	waitEvent(t, names.TeardownAnnotation, "Reverted", "only the operator")
}

// restarts returns the number of pod template changes of each Deployment.
func (s *workloads) restarts() map[string]int64 {
	s.t.Helper()
	var list appsv1.DeploymentList
	if err := cluster.client.List(s.t.Context(), &list, client.InNamespace(s.namespace)); err != nil {
		s.t.Fatal(err)
	}
	restarts := map[string]int64{}
	for _, d := range list.Items {
		if d.Generation > 1 {
			restarts[d.Name] = d.Generation - 1
		}
	}
	return restarts
}

// waitWithout waits until the pods of some Deployments have no sidecar.
func (s *workloads) waitWithout(deployments ...string) {
	s.t.Helper()
	eventually(s.t, func() error {
		for _, name := range deployments {
			var list corev1.PodList
			if err := cluster.client.List(s.t.Context(), &list, client.InNamespace(s.namespace), client.MatchingLabels{"app": name}); err != nil {
				return err
			}
			for i := range list.Items {
				if _, injected := list.Items[i].Labels[names.ProxyUUIDLabel]; injected {
					return fmt.Errorf("%s has a sidecar", list.Items[i].Name)
				}
			}
		}
		return nil
	})
}
