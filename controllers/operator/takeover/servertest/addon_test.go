package servertest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestTakesOverAnAddOn takes over from an OSM in kube-system, with the admission policy that limits the operator there. Its Service leads to the mesh, also after OSM
// was removed with it, until it is given back.
func TestTakesOverAnAddOn(t *testing.T) {
	c := newCluster(t)
	c.from = metav1.NamespaceSystem
	running, _, workloads := c.startOSM()
	c.installKinds()
	c.limitOperator()
	defer c.operator()()
	must(t, c.client.Create(t.Context(), c.servingMesh(v1alpha1.AdoptionRestarting)))
	c.awaitCalls(own, "")
	for _, workload := range workloads {
		c.restartedFor(workload, "osm-v9-9-9")
		c.replacePod(workload)
	}
	c.controllerPod()
	c.awaitService(func(service *corev1.Service) bool { return service.Spec.Selector[names.AppLabel] == "" })

	c.setStep(v1alpha1.AdoptionComplete)
	for _, object := range running {
		must(t, client.IgnoreNotFound(c.client.Delete(t.Context(), object)))
	}
	c.condition("osm", v1alpha1.ConditionAdopting, v1alpha1.ReasonAdoptionComplete)
	c.awaitService(func(service *corev1.Service) bool { return service.Labels[names.MeshLabel] == "osm" })

	c.patchMesh(`{"spec":{"adoption":{"service":"Keep"}}}`)
	c.eventually(func() error {
		err := c.client.Get(t.Context(), client.ObjectKey{Namespace: c.from, Name: names.Controller}, &corev1.Service{})
		if slices := c.controllerSlices(); !apierrors.IsNotFound(err) || len(slices) > 0 {
			return fmt.Errorf("the Service (%w) or its EndpointSlices exist: %v", err, slices)
		}
		return nil
	})
}

// limitOperator puts the operator under its admission policy, with a service account as its user.
func (c *cluster) limitOperator() {
	c.t.Helper()
	const user = "system:serviceaccount:osm-operator-system:osm-operator"
	for _, name := range []string{"operator_policy.yaml", "operator_binding.yaml"} {
		content, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "config", "admission", name))
		must(c.t, err)
		c.apply(string(content))
	}
	bindings := &rbacv1.ClusterRoleBindingList{}
	must(c.t, c.client.List(c.t.Context(), bindings))
	for i := range bindings.Items {
		if subjects := bindings.Items[i].Subjects; len(subjects) == 1 && subjects[0].Name == c.asOperator.Impersonate.UserName {
			bindings.Items[i].Subjects[0].Name = user
			must(c.t, c.client.Update(c.t.Context(), &bindings.Items[i]))
		}
	}
	c.asOperator.Impersonate = rest.ImpersonationConfig{UserName: user}
	limited, err := client.New(c.asOperator, client.Options{Scheme: c.client.Scheme()})
	must(c.t, err)
	c.eventually(func() error {
		err := limited.Create(c.t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: c.from, Name: "probe"}}, client.DryRunAll)
		if !apierrors.IsForbidden(err) {
			return fmt.Errorf("the policy is not in effect: %w", err)
		}
		return nil
	})
}

// servingMesh is a Mesh that takes over up to a step, and serves OSM's sidecars.
func (c *cluster) servingMesh(step v1alpha1.AdoptionStep) *v1alpha1.Mesh {
	mesh := c.adoptingMesh()
	mesh.Spec.Adoption.Step, mesh.Spec.Adoption.Service = &step, ptr.To(v1alpha1.AdoptionServiceRedirect)
	mesh.Spec.Adoption.Bridge = &v1alpha1.BridgeSpec{}
	return mesh
}

// awaitService waits until OSM's Service fits, and has the controller of the mesh as its only endpoint. It returns the Service.
func (c *cluster) awaitService(fits func(*corev1.Service) bool) *corev1.Service {
	c.t.Helper()
	service := &corev1.Service{}
	c.eventually(func() error {
		*service = corev1.Service{}
		if err := c.client.Get(c.t.Context(), client.ObjectKey{Namespace: c.from, Name: names.Controller}, service); err != nil {
			return err
		}
		slices := c.controllerSlices()
		if !fits(service) || len(slices) != 1 || slices[0].Endpoints[0].Addresses[0] != "192.0.2.7" {
			return fmt.Errorf("the Service selects %v, with the EndpointSlices %+v", service.Spec.Selector, slices)
		}
		return nil
	})
	return service
}

// controllerSlices are the EndpointSlices of OSM's Service.
func (c *cluster) controllerSlices() []discoveryv1.EndpointSlice {
	c.t.Helper()
	var list discoveryv1.EndpointSliceList
	must(c.t, c.client.List(c.t.Context(), &list, client.InNamespace(c.from), client.MatchingLabels{discoveryv1.LabelServiceName: names.Controller}))
	return list.Items
}
