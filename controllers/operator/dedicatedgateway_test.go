package operator_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// gatewayDefinitions returns the files with the definitions of GatewayClasses and Gateways.
func gatewayDefinitions(ctx context.Context) ([]string, error) {
	folder, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		return nil, fmt.Errorf("the definitions of the Gateway API are not found: %w", err)
	}
	prefix := filepath.Join(string(bytes.TrimSpace(folder)), "config", "crd", "standard", "gateway.networking.k8s.io_")
	return []string{prefix + "gatewayclasses.yaml", prefix + "gateways.yaml"}, nil
}

func userGateway(class, namespace, name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": map[string]any{"namespace": namespace, "name": name},
		"spec": map[string]any{"gatewayClassName": class, "listeners": []any{map[string]any{"name": "http", "port": int64(80), "protocol": "HTTP"}}},
	}}
}

// Each Gateway of the class gets pods, a Service and an address of its own. They are deleted with the Gateway, when it gets another class, and when the Mesh
// changes its mode.
func TestGatewaysHavePodsOfTheirOwn(t *testing.T) {
	t.Parallel()
	const mesh, tenant = "pergateway", "pergateway-tenant"
	m := readyMesh(t, mesh, nil)
	mode := func(deployment v1alpha1.GatewayDeployment) {
		change(t, m, func(m *v1alpha1.Mesh) {
			m.Spec.IngressGateway = &v1alpha1.IngressGatewaySpec{Mode: ptr.To(v1alpha1.IngressGatewayManaged), Deployment: &deployment, AllowedNamespaces: []string{tenant}}
		})
	}
	mode(v1alpha1.GatewayDeploymentPerGateway)
	if err := cluster.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenant}}); err != nil {
		t.Fatal(err)
	}
	web, api := userGateway(mesh, tenant, "web"), userGateway(mesh, tenant, strings.Repeat("a", 253))
	for _, gateway := range []*unstructured.Unstructured{web, api} {
		eventually(t, func() error { return cluster.client.Create(t.Context(), gateway) })
	}
	deployment := func(gateway *unstructured.Unstructured) *appsv1.Deployment {
		return &appsv1.Deployment{ObjectMeta: inMeshNamespace(mesh, names.DedicatedGateway(tenant, gateway.GetName()))}
	}
	there := func(*appsv1.Deployment) error { return nil }
	waitFor(t, deployment(web), there)
	waitFor(t, deployment(api), there)
	shared := &appsv1.Deployment{ObjectMeta: inMeshNamespace(mesh, names.IngressGateway)}
	waitGone(t, shared)

	if err := cluster.client.Delete(t.Context(), api); err != nil {
		t.Fatal(err)
	}
	waitGone(t, deployment(api))
	waitGone(t, &corev1.Service{ObjectMeta: deployment(api).ObjectMeta})
	class := func(name string) {
		change(t, web, func(u *unstructured.Unstructured) { u.Object["spec"].(map[string]any)["gatewayClassName"] = name })
	}
	class("another")
	waitGone(t, deployment(web))
	class(mesh)
	waitFor(t, deployment(web), there)

	mode(v1alpha1.GatewayDeploymentShared)
	waitFor(t, shared, there)
	waitGone(t, deployment(web))
}

// A Gateway with an annotation that Kubernetes rejects for its Service gets the answer, and the Mesh and another Gateway are as before. Without permission
// in the Mesh, the annotation does not reach the Service.
func TestRejectedServiceConcernsItsGatewayOnly(t *testing.T) {
	t.Parallel()
	const mesh, tenant, ranges = "rejectedgateway", "rejectedgateway-tenant", "service.beta.kubernetes.io/load-balancer-source-ranges"
	m := readyMesh(t, mesh, nil)
	allow := func(keys ...string) {
		change(t, m, func(m *v1alpha1.Mesh) {
			m.Spec.IngressGateway = &v1alpha1.IngressGatewaySpec{
				Mode: ptr.To(v1alpha1.IngressGatewayManaged), Deployment: ptr.To(v1alpha1.GatewayDeploymentPerGateway), AllowedNamespaces: []string{tenant},
				Service: &v1alpha1.GatewayServiceSpec{AllowedMetadata: keys},
			}
		})
	}
	allow()
	if err := cluster.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenant}}); err != nil {
		t.Fatal(err)
	}
	bad, good := userGateway(mesh, tenant, "bad"), userGateway(mesh, tenant, "good")
	bad.Object["spec"].(map[string]any)["infrastructure"] = map[string]any{"annotations": map[string]any{ranges: "x"}}
	eventually(t, func() error { return cluster.client.Create(t.Context(), bad) })
	service := func(name string) *corev1.Service {
		return &corev1.Service{ObjectMeta: inMeshNamespace(mesh, names.DedicatedGateway(tenant, name))}
	}
	waitFor(t, service("bad"), func(s *corev1.Service) error {
		if value, has := s.Annotations[ranges]; has {
			return fmt.Errorf("the Service has the annotation %q of the Gateway", value)
		}
		return nil
	})
	published := func() string {
		class := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass"}}
		if err := cluster.client.Get(t.Context(), client.ObjectKey{Name: mesh}, class); err != nil {
			return err.Error()
		}
		return class.GetAnnotations()[names.RejectedGatewaysAnnotation]
	}
	allow(ranges)
	eventually(t, func() error {
		if text := published(); !strings.Contains(text, names.DedicatedGateway(tenant, "bad")) || !strings.Contains(text, ranges) {
			return fmt.Errorf("the control plane reads %q", text)
		}
		return nil
	})
	if err := cluster.client.Create(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	waitFor(t, service("good"), func(*corev1.Service) error { return nil })
	waitFor(t, m, func(m *v1alpha1.Mesh) error {
		for _, c := range m.Status.Components {
			if c.Name == "ingress-gateway" && c.Reason == v1alpha1.ReasonApplyFailed {
				return fmt.Errorf("the component fails: %s", c.Message)
			}
		}
		return nil
	})
	allow()
	eventually(t, func() error {
		if text := published(); text != "" {
			return fmt.Errorf("the control plane still reads %q", text)
		}
		return nil
	})
}
