package components

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/ingressgateway"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// users has the Gateways of users.
type users struct {
	gateways []*unstructured.Unstructured
	unserved bool
	failure  error
}

func (u *users) OfClass(context.Context, string) ([]*unstructured.Unstructured, bool, error) {
	return u.gateways, !u.unserved, u.failure
}

func userGateway(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": map[string]any{"namespace": "shop", "name": name},
		"spec": map[string]any{"gatewayClassName": "osm", "listeners": []any{map[string]any{"name": "http", "port": int64(80), "protocol": "HTTP"}}},
	}}
}

// gatewayBench is an operator with the ingress gateway, and the Gateways of users.
type gatewayBench struct {
	*Reconciler
	*users
	mesh *v1alpha1.Mesh
}

func newGatewayBench(t *testing.T) *gatewayBench {
	t.Helper()
	r, mesh := meshWithPrometheus(t, v1alpha1.PrometheusDisabled)
	mesh.Spec.IngressGateway = &v1alpha1.IngressGatewaySpec{Mode: ptr.To(v1alpha1.IngressGatewayManaged)}
	b := &gatewayBench{Reconciler: r, users: &users{}, mesh: mesh}
	r.Components, r.Gateways = []component.Component{ingressgateway.Managed{}}, b.users
	if err := gatewayv1.Install(r.Client.Scheme()); err != nil {
		t.Fatal(err)
	}
	return b
}

// reconcile reconciles the component, and returns its status with the names of the Deployments and Services that exist.
func (b *gatewayBench) reconcile(t *testing.T, deployment v1alpha1.GatewayDeployment, rollout string) (v1alpha1.ComponentStatus, []string) {
	t.Helper()
	b.mesh.Spec.IngressGateway.Deployment = &deployment
	catalogue, err := operand.NewCatalogue("v9.9.9", operand.Images{Controller: "c", Injector: "i", Init: "example/init", Sidecar: "example/envoy"})
	if err != nil {
		t.Fatal(err)
	}
	release, err := catalogue.Release("v9.9.9")
	if err != nil {
		t.Fatal(err)
	}
	inputs := component.Inputs{Mesh: b.mesh, ControlPlanes: []component.ControlPlane{{
		Release: release, Parameters: operand.Parameters{Namespace: "osm-system", TrustDomain: "cluster.local", Images: release.Images},
	}}}
	var statuses []v1alpha1.ComponentStatus
	// The second time finds what the first one has deleted.
	for range 2 {
		statuses, _ = b.reconcileAll(t.Context(), b.Applier.For(b.mesh), b.mesh, inputs, rollout)
		b.mesh.Status.Components = statuses
	}
	if len(statuses) != 1 {
		t.Fatalf("the components are %+v", statuses)
	}
	return statuses[0], b.names(t)
}

// names returns the names of the Deployments that have a Service.
func (b *gatewayBench) names(t *testing.T) []string {
	t.Helper()
	var list appsv1.DeploymentList
	if err := b.Client.List(t.Context(), &list, client.InNamespace("osm-system")); err != nil {
		t.Fatal(err)
	}
	var found []string
	for i := range list.Items {
		if exists(t, b.Reconciler, "v1", "Service", client.ObjectKeyFromObject(&list.Items[i])) {
			found = append(found, list.Items[i].Name)
		}
	}
	slices.Sort(found)
	return found
}

// makeAvailable gives Deployments an available pod.
func (b *gatewayBench) makeAvailable(t *testing.T, deployments ...string) {
	t.Helper()
	for _, name := range deployments {
		var d appsv1.Deployment
		if err := b.Client.Get(t.Context(), client.ObjectKey{Namespace: "osm-system", Name: name}, &d); err != nil {
			t.Fatal(err)
		}
		d.Status.AvailableReplicas = 2
		if err := b.Client.Status().Update(t.Context(), &d); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDeploymentFollowsItsGateway checks that pods are made and deleted with Gateways, and that a change of the mode leaves none of the other mode.
func TestDeploymentFollowsItsGateway(t *testing.T) {
	b := newGatewayBench(t)
	api, web := names.DedicatedGateway("shop", "api"), names.DedicatedGateway("shop", "web")
	for _, step := range []struct {
		name       string
		deployment v1alpha1.GatewayDeployment
		gateways   []*unstructured.Unstructured
		want       []string
	}{
		{"shared", v1alpha1.GatewayDeploymentShared, []*unstructured.Unstructured{userGateway("web")}, []string{names.IngressGateway}},
		{"no Gateway", v1alpha1.GatewayDeploymentPerGateway, nil, nil},
		{"a Gateway", v1alpha1.GatewayDeploymentPerGateway, []*unstructured.Unstructured{userGateway("web")}, []string{web}},
		{"another one", v1alpha1.GatewayDeploymentPerGateway, []*unstructured.Unstructured{userGateway("web"), userGateway("api")}, []string{api, web}},
		{"one is deleted", v1alpha1.GatewayDeploymentPerGateway, []*unstructured.Unstructured{userGateway("api")}, []string{api}},
		{"shared again", v1alpha1.GatewayDeploymentShared, []*unstructured.Unstructured{userGateway("api")}, []string{names.IngressGateway}},
	} {
		b.gateways = step.gateways
		status, got := b.reconcile(t, step.deployment, "")
		if !slices.Equal(got, step.want) {
			t.Errorf("%s: there are %q, want %q: %s", step.name, got, step.want, status.Message)
		}
		if !exists(t, b.Reconciler, "v1", "ServiceAccount", client.ObjectKey{Namespace: "osm-system", Name: names.IngressGateway}) {
			t.Errorf("%s: the identity of the gateways does not exist", step.name)
		}
	}
}

// TestPodsOutliveFailures checks that nothing is deleted while the Gateways are unknown.
func TestPodsOutliveFailures(t *testing.T) {
	b := newGatewayBench(t)
	b.gateways = []*unstructured.Unstructured{userGateway("web")}
	b.reconcile(t, v1alpha1.GatewayDeploymentPerGateway, "")
	for name, state := range map[string]users{"the kind is not served": {unserved: true}, "they cannot be listed": {failure: errors.New("no watch")}} {
		*b.users = state
		status, got := b.reconcile(t, v1alpha1.GatewayDeploymentPerGateway, "")
		if !slices.Equal(got, []string{names.DedicatedGateway("shop", "web")}) || status.Ready {
			t.Errorf("%s: there are %q, and the component has %+v", name, got, status)
		}
	}
}

// TestUpgradeDelaysNoGateway checks that during an upgrade the pods of Gateways keep their images, while new Gateways get pods and those of deleted ones are
// deleted.
func TestUpgradeDelaysNoGateway(t *testing.T) {
	b := newGatewayBench(t)
	b.gateways = []*unstructured.Unstructured{userGateway("gone"), userGateway("web")}
	b.reconcile(t, v1alpha1.GatewayDeploymentPerGateway, "")
	web := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: names.DedicatedGateway("shop", "web")}}
	if err := b.Client.Get(t.Context(), client.ObjectKeyFromObject(web), web); err != nil {
		t.Fatal(err)
	}
	web.Spec.Template.Spec.InitContainers[0].Image = "earlier"
	if err := b.Client.Update(t.Context(), web); err != nil {
		t.Fatal(err)
	}
	web.Status.AvailableReplicas = 1
	if err := b.Client.Status().Update(t.Context(), web); err != nil {
		t.Fatal(err)
	}
	b.gateways = []*unstructured.Unstructured{userGateway("new"), userGateway("web")}
	status, got := b.reconcile(t, v1alpha1.GatewayDeploymentPerGateway, "an upgrade")
	if want := []string{names.DedicatedGateway("shop", "new"), web.Name}; !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q: %s", got, want, status.Message)
	}
	if err := b.Client.Get(t.Context(), client.ObjectKeyFromObject(web), web); err != nil || web.Spec.Template.Spec.InitContainers[0].Image != "earlier" {
		t.Errorf("the pods of web have the image %s: %v", web.Spec.Template.Spec.InitContainers[0].Image, err)
	}
	if strings.Contains(status.Message, "shop/web") == strings.Contains(status.Message, "shop/new") {
		t.Errorf("the component says %q, want only the new Gateway, which has no pods", status.Message)
	}
}
