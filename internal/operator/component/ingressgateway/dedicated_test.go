package ingressgateway_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component/ingressgateway"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// perGateway runs pods for each Gateway.
var perGateway = v1alpha1.IngressGatewaySpec{
	Deployment: ptr.To(v1alpha1.GatewayDeploymentPerGateway), Ports: []int32{80, 8443}, AllowedNamespaces: []string{"shop", "other"},
	Service: &v1alpha1.GatewayServiceSpec{
		Annotations: map[string]string{"lb.example.com/scheme": "internal"}, Labels: v1alpha1.Labels{"team": "edge"}, Type: ptr.To(corev1.ServiceTypeLoadBalancer),
	},
	GatewayPodsSpec: v1alpha1.GatewayPodsSpec{Autoscaling: &v1alpha1.AutoscalingSpec{MaxReplicas: 9}},
}

// hostile are labels and annotations that would select the pods of a Gateway for the control plane, hide its objects from the operator, or let tools change
// them.
var hostile = map[string]any{
	"app": "osm-controller", "meshName": "osm", "app.kubernetes.io/name": "x", "operator.openservicemesh.io/mesh": "another", "openservicemesh.io/monitored-by": "osm",
	"operator.openservicemesh.io/drift": "ignore", "gateway.networking.k8s.io/gateway-name": "other", "gateway.openservicemesh.io/gateway-namespace": "other",
	"keel.sh/policy": "force", "team": "mine", "lb.example.com/scheme": "internet-facing",
}

// gatewayOf has a listener for each port, and the same labels and annotations for its objects.
func gatewayOf(namespace, name string, infrastructure map[string]any, ports ...int64) *unstructured.Unstructured {
	var listeners []any
	for _, port := range ports {
		listeners = append(listeners, map[string]any{"name": fmt.Sprint("l", port), "port": port, "protocol": "HTTP"})
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": map[string]any{"namespace": namespace, "name": name},
		"spec": map[string]any{
			"gatewayClassName": "osm", "listeners": listeners,
			"infrastructure": map[string]any{"labels": maps.Clone(infrastructure), "annotations": maps.Clone(infrastructure)},
		},
	}}
}

// TestOwnersOfGatewaysHaveNoPower checks that labels and annotations of a Gateway that the Mesh permits reach only its Service, and that they replace nothing
// of the operator or of the Mesh.
func TestOwnersOfGatewaysHaveNoPower(t *testing.T) {
	settings := *perGateway.DeepCopy()
	for key := range hostile {
		settings.Service.AllowedMetadata = append(settings.Service.AllowedMetadata, key)
	}
	objects, err := render(t, mesh(settings), release(t, "v9.9.9"), gatewayOf("shop", "web", hostile, 80))
	if err != nil {
		t.Fatal(err)
	}
	services := 0
	for _, object := range objects {
		if object.GetKind() == "GatewayClass" {
			continue // it lists what the Mesh permits
		}
		text := fmt.Sprint(object.Object)
		if object.GetKind() != "Service" {
			if strings.Contains(text, "keel.sh") || strings.Contains(text, "drift") || strings.Contains(text, "app:osm-controller") || strings.Contains(text, "team:mine") {
				t.Errorf("the %s has metadata of the Gateway: %s", object.GetKind(), text)
			}
			continue
		}
		services++
		labels, annotations := object.GetLabels(), object.GetAnnotations()
		for key, want := range map[string]string{
			"app": "", "meshName": "", "app.kubernetes.io/name": names.AppName, names.MeshLabel: "osm", names.MonitoredByLabel: "", names.DriftAnnotation: "",
			names.GatewayNameLabel: "web", names.GatewayNamespaceLabel: "shop", "team": "edge", "keel.sh/policy": "force",
		} {
			if labels[key] != want {
				t.Errorf("the label %s is %q, want %q", key, labels[key], want)
			}
		}
		if annotations["lb.example.com/scheme"] != "internal" || annotations[names.DriftAnnotation] != "" || annotations["keel.sh/policy"] != "force" {
			t.Errorf("the annotations are %v", annotations)
		}
	}
	if services != 1 {
		t.Errorf("%d Services, want one", services)
	}
}

// TestObjectsOfEachGateway checks that each Gateway that may have pods has its own, with the identity of the ingress gateway, and that others have none.
func TestObjectsOfEachGateway(t *testing.T) {
	long := strings.Repeat("g", 200)
	objects, err := render(t, mesh(perGateway), release(t, "v9.9.9"), gatewayOf("shop", "web", nil, 80), gatewayOf("shop", long, nil, 8443), gatewayOf("other", "web", nil, 80),
		gatewayOf("apart", "web", nil, 80), gatewayOf("shop", "unusable", nil, 9000), &unstructured.Unstructured{Object: map[string]any{"spec": "unreadable"}})
	if err != nil {
		t.Fatal(err)
	}
	kinds, deployments := map[string]int{}, map[string]string{}
	for _, object := range objects {
		kinds[object.GetKind()]++
		if object.GetKind() != "Deployment" {
			continue
		}
		account, _, _ := unstructured.NestedString(object.Object, "spec", "template", "spec", "serviceAccountName")
		labels, _, _ := unstructured.NestedStringMap(object.Object, "spec", "template", "metadata", "labels")
		deployments[object.GetName()] = account
		if labels[names.AppLabel] != object.GetName() || labels[names.GatewayNamespaceLabel] == "" || len(labels[names.GatewayNameLabel]) > 63 {
			t.Errorf("the pods of %s have the labels %v", object.GetName(), labels)
		}
	}
	if want := map[string]int{"ServiceAccount": 1, "GatewayClass": 1, "Service": 3, "Deployment": 3, "PodDisruptionBudget": 3, "HorizontalPodAutoscaler": 3}; !maps.Equal(kinds, want) {
		t.Errorf("the objects are %v, want %v", kinds, want)
	}
	for _, name := range []string{names.DedicatedGateway("shop", "web"), names.DedicatedGateway("shop", long), names.DedicatedGateway("other", "web")} {
		if deployments[name] != names.IngressGateway {
			t.Errorf("the Deployment %s has the identity %q", name, deployments[name])
		}
	}
}

// TestHealthNamesTheGateway checks that the health of the component names each Gateway without pods.
func TestHealthNamesTheGateway(t *testing.T) {
	objects, err := render(t, mesh(perGateway), release(t, "v9.9.9"), gatewayOf("shop", "web", nil, 80), gatewayOf("other", "web", nil, 80))
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GetKind() == "Deployment" && object.GetLabels()[names.GatewayNamespaceLabel] == "shop" {
			object.Object["status"] = map[string]any{"availableReplicas": int64(2)}
		}
	}
	health := ingressgateway.Managed{}.Health(objects)
	if health.Ready || !strings.Contains(health.Message, "Gateway other/web: the Deployment osm-system/osm-gateway-other-web-") || strings.Contains(health.Message, "shop") {
		t.Errorf("the health is %+v", health)
	}
	isDeployment := func(o *unstructured.Unstructured) bool { return o.GetKind() == "Deployment" }
	if health := (ingressgateway.Managed{}).Health(slices.DeleteFunc(objects, isDeployment)); !health.Ready {
		t.Errorf("without Gateways the health is %+v", health)
	}
}

// TestPortsOfNodesAreForOneService checks that Services do not compete for a port of nodes.
func TestPortsOfNodesAreForOneService(t *testing.T) {
	settings := *perGateway.DeepCopy()
	settings.Service.NodePorts = []v1alpha1.GatewayNodePort{{Port: 80, NodePort: 30080}}
	if _, err := render(t, mesh(settings), release(t, "v9.9.9"), gatewayOf("shop", "web", nil, 80)); err == nil || !strings.Contains(err.Error(), "remove nodePorts") {
		t.Errorf("the error is %v", err)
	}
}
