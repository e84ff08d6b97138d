package servertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestTakesOverARunningOSM walks through all steps beside a running OSM with its reconciler, back, and forward to the end.
func TestTakesOverARunningOSM(t *testing.T) {
	c := newCluster(t)
	running, webhooks, workloads := c.startOSM()
	web, store := workloads[0], workloads[1]
	c.installKinds()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go c.reconciler(ctx)
	before := c.webhookContent(webhooks)
	defer c.operator()()
	must(t, c.client.Create(t.Context(), c.adoptingMesh()))

	c.contains(c.condition("osm", v1alpha1.ConditionAdopting, v1alpha1.ReasonAdoptionPrepared), "serves nobody", "with sidecars of the Open Service Mesh: 2")
	c.condition("osm", v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	c.checkCopies()
	c.checkPolicyStatus("--write-status=false")
	c.eventually(c.readSplits)
	if diff := cmp.Diff(before, c.webhookContent(webhooks)); diff != "" {
		t.Errorf("prepared: the webhooks of OSM were changed (-before +after):\n%s", diff)
	}

	c.setStep(v1alpha1.AdoptionInjecting)
	c.awaitCalls(own, "")
	c.condition("osm", v1alpha1.ConditionAdopting, v1alpha1.ReasonAdoptionInjecting)
	c.injectorRestarts(before)
	c.awaitCalls(own, "")
	c.restartedFor(web, "")

	c.setStep(v1alpha1.AdoptionRestarting)
	c.restartedFor(web, "osm-v9-9-9")
	c.waitsFor(store, "osm-v9-9-9", "Deployment osm-bookstore/bookstore (waits for its callers osm-bookbuyer/bookbuyer: ")
	c.replacePod(web)
	c.restartedFor(store, "osm-v9-9-9")
	c.replacePod(store)
	c.eventually(func() error {
		if message := c.condition("osm", v1alpha1.ConditionAdopting, v1alpha1.ReasonAdoptionRestarting); !strings.Contains(message, "no sidecar of the Open Service Mesh is left") {
			return errors.New(message)
		}
		return nil
	})

	c.setStep(v1alpha1.AdoptionPrepared)
	c.contains(c.condition("osm", v1alpha1.ConditionAdopting, v1alpha1.ReasonAdoptionPrepared), "with sidecars of this mesh: 2")
	if diff := cmp.Diff(before, c.webhookContent(webhooks)); diff != "" {
		t.Errorf("going back: the webhooks of OSM are not restored (-before +after):\n%s", diff)
	}
	c.restartedFor(store, takeover.BackTarget)
	c.waitsFor(web, takeover.BackTarget, "Deployment osm-bookbuyer/bookbuyer (waits for what it calls, osm-bookstore/bookstore: ")

	c.setStep(v1alpha1.AdoptionComplete)
	c.awaitCalls(own, "")
	c.contains(c.condition("osm", v1alpha1.ConditionAdopting, v1alpha1.ReasonAdoptionRestarting), "helm uninstall osm --namespace osm-system --no-hooks")
	for _, object := range running {
		must(t, c.client.Delete(t.Context(), object))
	}
	c.condition("osm", v1alpha1.ConditionAdopting, v1alpha1.ReasonAdoptionComplete)
	c.checkCompleted()
	c.patchMesh(`{"spec":{"adoption":null}}`)
	c.eventually(func() error {
		m := c.mesh()
		if meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionAdopting) != nil || m.Status.Adoption != nil {
			return errors.New("the takeover is still in the status")
		}
		return nil
	})
}

// mesh reads the Mesh.
func (c *cluster) mesh() *v1alpha1.Mesh {
	c.t.Helper()
	m := &v1alpha1.Mesh{}
	must(c.t, c.client.Get(c.t.Context(), client.ObjectKey{Name: "osm"}, m))
	return m
}

// TestDeletionDuringATakeoverGoesBack deletes the Mesh while it injects and serves OSM's sidecars.
func TestDeletionDuringATakeoverGoesBack(t *testing.T) {
	c := newCluster(t)
	_, webhooks, _ := c.startOSM()
	c.installKinds()
	before := c.webhookContent(webhooks)
	defer c.operator()()
	mesh := c.servingMesh(v1alpha1.AdoptionInjecting)
	must(t, c.client.Create(t.Context(), mesh))
	c.awaitCalls(own, "")
	c.controllerPod()
	service := c.awaitService(func(service *corev1.Service) bool { return service.Spec.Selector[names.AppLabel] == "" })
	address := service.Spec.ClusterIP

	must(t, c.client.Delete(t.Context(), mesh))
	c.eventually(func() error {
		if err := c.client.Get(t.Context(), client.ObjectKey{Name: "osm"}, &v1alpha1.Mesh{}); !apierrors.IsNotFound(err) {
			return errors.New("the Mesh still exists")
		}
		return nil
	})
	if diff := cmp.Diff(before, c.webhookContent(webhooks)); diff != "" {
		t.Errorf("the webhooks of OSM are not restored (-before +after):\n%s", diff)
	}
	must(t, c.client.Get(t.Context(), client.ObjectKeyFromObject(service), service))
	var left discoveryv1.EndpointSliceList
	must(t, c.client.List(t.Context(), &left, client.InNamespace(c.from)))
	if service.Spec.Selector[names.AppLabel] != names.Controller || service.Spec.ClusterIP != address || len(left.Items) != 0 || len(service.Annotations) != 2 {
		t.Errorf("the Service is not restored: %v, %s, annotations %v, %d EndpointSlices", service.Spec.Selector, service.Spec.ClusterIP, service.Annotations, len(left.Items))
	}
	if err := c.client.Get(t.Context(), client.ObjectKey{Namespace: own, Name: names.Controller}, &appsv1.Deployment{}); !apierrors.IsNotFound(err) {
		t.Errorf("the control plane of the Mesh still exists: %v", err)
	}
}

// controllerPod creates a ready pod of the controller of the mesh.
func (c *cluster) controllerPod() {
	c.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "osm-controller-a", Labels: map[string]string{names.AppLabel: names.Controller, names.MeshLabel: "osm"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: names.Controller, Image: "example/controller:1"}}},
	}
	must(c.t, c.client.Create(c.t.Context(), pod))
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: "192.0.2.7", PodIPs: []corev1.PodIP{{IP: "192.0.2.7"}},
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
	must(c.t, c.client.Status().Update(c.t.Context(), pod))
}

// TestTakeoverThatCannotBegin has a Mesh with another trust domain than OSM, which is corrected, and then an OSM without a controller.
func TestTakeoverThatCannotBegin(t *testing.T) {
	c := newCluster(t)
	_, webhooks, _ := c.startOSM("--trust-domain=mesh.example")
	c.installKinds()
	before := c.webhookContent(webhooks)
	defer c.operator()()
	must(t, c.client.Create(t.Context(), c.adoptingMesh()))
	c.contains(c.condition("osm", v1alpha1.ConditionAdopting, v1alpha1.ReasonAdoptionBlocked), "set spec.certificates.trustDomain to mesh.example")
	c.contains(c.condition("osm", v1alpha1.ConditionStalled, v1alpha1.ReasonAdoptionBlocked), "set spec.certificates.trustDomain to mesh.example")
	if err := c.client.Get(t.Context(), client.ObjectKey{Namespace: own, Name: names.CABundleSecret}, &corev1.Secret{}); !apierrors.IsNotFound(err) {
		t.Errorf("the authority was copied, or another one created: %v", err)
	}
	c.patchMesh(`{"spec":{"certificates":{"trustDomain":"mesh.example"}}}`)
	c.condition("osm", v1alpha1.ConditionAdopting, v1alpha1.ReasonAdoptionPrepared)
	c.condition("osm", v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	if diff := cmp.Diff(before, c.webhookContent(webhooks)); diff != "" {
		t.Errorf("the webhooks of OSM were changed (-before +after):\n%s", diff)
	}
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
	if err := c.client.Patch(t.Context(), mesh, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"adoption":{"from":"other"}}}`))); !apierrors.IsInvalid(err) {
		t.Errorf("spec.adoption.from was changed: %v", err)
	}
}

// TestPlanOfATakeover plans a step, and changes nothing.
func TestPlanOfATakeover(t *testing.T) {
	c := newCluster(t)
	_, webhooks, _ := c.startOSM()
	c.installKinds()
	before := c.webhookContent(webhooks)
	defer c.operator()()
	mesh := c.adoptingMesh()
	mesh.Spec.Mode, mesh.Spec.Adoption.Step = ptr.To(v1alpha1.ModePlan), ptr.To(v1alpha1.AdoptionInjecting)
	must(t, c.client.Create(t.Context(), mesh))
	c.condition("osm", v1alpha1.ConditionPlanned, v1alpha1.ReasonPlanned)
	c.contains(fmt.Sprintf("%+v", *c.mesh().Status.Plan), "osm-webhook-osm", "aks-osm-webhook-osm", "osm-validator-mesh-osm", names.CABundleSecret, names.MeshConfig)
	if diff := cmp.Diff(before, c.webhookContent(webhooks)); diff != "" {
		t.Errorf("the webhooks of OSM were changed (-before +after):\n%s", diff)
	}
	if err := c.client.Get(t.Context(), client.ObjectKey{Name: own}, &corev1.Namespace{}); !apierrors.IsNotFound(err) {
		t.Errorf("the namespace of the mesh exists: %v", err)
	}
}
