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
	"github.com/openservicemesh/osm-operator/controllers/operator/vitals"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// restarting asks for a removal that restarts workloads, one at a time and at once.
func restarting(spec *v1alpha1.MeshSpec) {
	quick(spec)
	spec.Upgrade.DataPlane.MaxUnavailable = ptr.To(intstr.FromInt32(1))
	spec.Upgrade.DataPlane.Restart = ptr.To(v1alpha1.RestartManual)
	spec.Removal = &v1alpha1.RemovalSpec{Sidecars: ptr.To(v1alpha1.SidecarsRestart)}
}

// removalReaches waits for a phase of a removal, and returns what the status says of it.
func removalReaches(t *testing.T, mesh *v1alpha1.Mesh, phase string) v1alpha1.RemovalStatus {
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

// leavingSays is what the MeshConfig of a mesh tells its control planes.
func leavingSays(t *testing.T, mesh string) string {
	t.Helper()
	config := meshConfig(mesh)
	get(t, config)
	return config.Annotations[names.LeavingAnnotation]
}

func remove(t *testing.T, object client.Object, options ...client.DeleteOption) {
	t.Helper()
	if err := cluster.client.Delete(t.Context(), object, options...); err != nil {
		t.Fatal(err)
	}
}

func TestRemovalTakesSidecarsOutInOrder(t *testing.T) {
	t.Parallel()
	const name = "takeout"
	mesh := readyMesh(t, name, restarting)
	s := openShop(t, name, "cart", "mail", "search")
	s.wait("takeout-v0-0-9", 3)
	keeper := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "mail"}}
	change(t, keeper, func(d *appsv1.Deployment) { d.Labels = map[string]string{names.RestartLabel: "disabled"} })
	batch := podWithSidecar(t, s.namespace, "takeout-v0-0-9")
	behind := healthy()
	behind.Proxies.Behind = 1
	cluster.patient.becomes(home(name), olderVersion, behind)
	remove(t, mesh)

	// Nothing is restarted, and pods go on to get sidecars, until all sidecars are known to let in pods without one.
	status := removalReaches(t, mesh, v1alpha1.RemovalOpening)
	if status.Sidecars != 4 || leavingSays(t, name) != names.LeavingOpen {
		t.Errorf("%d sidecars are left and the MeshConfig says %q, want 4 and open", status.Sidecars, leavingSays(t, name))
	}
	eventually(t, func() error {
		get(t, mesh)
		if text := mesh.Status.Removal.Message; text != "" && mesh.Status.Removal.Phase == v1alpha1.RemovalOpening {
			if !strings.Contains(text, "1 have not accepted it yet") {
				return fmt.Errorf("the status does not say who is waited for: %s", text)
			}
		}
		return nil
	})
	get(t, &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(name)}})
	cluster.patient.becomes(home(name), olderVersion, healthy())
	removalReaches(t, mesh, v1alpha1.RemovalTransparent)
	get(t, &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(name)}})
	if said := leavingSays(t, name); said != names.LeavingTransparent {
		t.Errorf("the MeshConfig says %q, want transparent", said)
	}
	removalReaches(t, mesh, v1alpha1.RemovalInjectionOff)
	if len(s.restarts()) > 0 {
		t.Errorf("workloads were restarted before injection was off: %v", s.restarts())
	}
	waitGone(t, &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(name)}})
	removalReaches(t, mesh, v1alpha1.RemovalRestarting)
	s.waitWithout("cart", "search")

	// What opted out and what cannot be restarted is named and waited for; the mesh is still there for it.
	condition := waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForSidecars)
	mention(t, condition.Message, "2 pods have a sidecar", "Deployment "+s.namespace+"/mail (opted out", "Pod "+s.namespace+"/web")
	get(t, &appsv1.Deployment{ObjectMeta: inHome(name, names.Controller)})
	if again := s.restarts(); again["cart"] != 1 || again["search"] != 1 || len(again) != 2 {
		t.Errorf("workloads were restarted so often: %v, want cart and search once", again)
	}
	remove(t, batch, client.GracePeriodSeconds(0))
	change(t, keeper, func(d *appsv1.Deployment) { d.Labels = nil })
	waitGone(t, mesh)
	waitGone(t, meshConfig(name))
}

// The operator may be asked to restart workloads while it waits, and what users wrote into a MeshConfig of their own stays.
func TestWaitingMayTurnIntoRestarting(t *testing.T) {
	t.Parallel()
	const name = "impatient"
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home(name)}})
	own := meshConfig(name)
	own.Annotations = map[string]string{"example.com/mine": "yes"}
	own.Spec.Certificate.ServiceCertValidityDuration = "24h"
	own.Spec.Certificate.CertKeyBitSize = 2048
	create(t, own)
	mesh := readyMesh(t, name, quick)
	s := openShop(t, name, "cart")
	s.wait("impatient-v0-0-9", 1)
	remove(t, mesh)
	condition := waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForSidecars)
	mention(t, condition.Message, "1 pod has a sidecar", "Deployment impatient-shop/cart", "spec.removal.sidecars")
	if said := leavingSays(t, name); said != "" || len(s.restarts()) > 0 {
		t.Errorf("a removal that waits has said %q and restarted %v", said, s.restarts())
	}
	change(t, mesh, restartNow)
	waitGone(t, mesh)
	get(t, own)
	if _, said := own.Annotations[names.LeavingAnnotation]; said || own.Annotations["example.com/mine"] != "yes" {
		t.Errorf("the user's MeshConfig is left with the annotations %v", own.Annotations)
	}
}

func restartNow(m *v1alpha1.Mesh) {
	m.Spec.Removal = &v1alpha1.RemovalSpec{Sidecars: ptr.To(v1alpha1.SidecarsRestart)}
}

// A control plane that does not answer keeps the sidecars waiting, but not for ever.
func TestRemovalGoesOnWithoutAControlPlane(t *testing.T) {
	t.Parallel()
	const name = "silent"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		restarting(spec)
		spec.Upgrade.Gates.Timeout = &metav1.Duration{Duration: 10 * time.Second}
	})
	s := openShop(t, name, "cart")
	s.wait("silent-v0-0-9", 1)
	cluster.patient.becomes(home(name), olderVersion, vitals.Reading{})
	remove(t, mesh)
	eventually(t, func() error {
		get(t, mesh)
		if mesh.Status.Removal == nil || !strings.Contains(mesh.Status.Removal.Message, "does not say how far they are") {
			return fmt.Errorf("the removal is at %+v", mesh.Status.Removal)
		}
		return nil
	})
	waitEvent(t, "silent-v0-0-9", "SidecarsNotTold", "calls may fail")
	removalReaches(t, mesh, v1alpha1.RemovalInjectionOff)
	s.waitWithout("cart")
	waitGone(t, mesh)
}

// Only the operator ends policies, and only while it removes a mesh.
func TestTheWordOfLeavingIsTakenBack(t *testing.T) {
	t.Parallel()
	const name = "staying"
	readyMesh(t, name, nil)
	config := meshConfig(name)
	change(t, config, func(c *configv1alpha2.MeshConfig) {
		c.Annotations = map[string]string{names.LeavingAnnotation: names.LeavingOpen}
	})
	eventually(t, func() error {
		get(t, config)
		if said := config.Annotations[names.LeavingAnnotation]; said != "" {
			return fmt.Errorf("the MeshConfig still says %q", said)
		}
		return nil
	})
	waitEvent(t, names.LeavingAnnotation, "Reverted", "only the operator")
}

// restarts counts how often each Deployment was given another pod template.
func (s *shop) restarts() map[string]int64 {
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
func (s *shop) waitWithout(deployments ...string) {
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
