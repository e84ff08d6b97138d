package ingressgateway

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/gatewaypods"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// gatewayGroup is the API group of the Gateway API.
const gatewayGroup = "gateway.networking.k8s.io"

// Managed runs an ingress gateway in the namespace of the mesh.
type Managed struct{}

// Name implements component.Component.
func (Managed) Name() string { return "ingress-gateway" }

// Enabled implements component.Optional.
func (Managed) Enabled(mesh *v1alpha1.Mesh) bool { return Mode(mesh) == v1alpha1.IngressGatewayManaged }

// Requires implements component.Component.
func (Managed) Requires() []component.Kind {
	return append(gatewaypods.Kinds(), component.V1(gatewayGroup, "GatewayClass", "gatewayclasses"))
}

// Images implements component.Component. They are those of the active control plane.
func (Managed) Images() []component.Image { return nil }

// Render implements component.Component.
func (Managed) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	if len(inputs.ControlPlanes) == 0 {
		return nil, nil
	}
	all, err := podSettings(inputs.Mesh).Objects(inputs, service(inputs.Mesh))
	return append(all, gatewayClass(inputs)), err
}

// Health implements component.Component. It is that of the Deployment.
func (Managed) Health(live []*unstructured.Unstructured) component.Health {
	return component.DeploymentHealth(live, names.IngressGateway)
}

func podSettings(mesh *v1alpha1.Mesh) gatewaypods.Settings {
	var listeners []string
	for _, port := range ports(mesh) {
		listeners = append(listeners, names.GatewayListener(uint16(port))) //nolint:gosec // the schema limits it
	}
	return gatewaypods.Settings{
		Name: names.IngressGateway, Listeners: listeners, Pods: settings(mesh).GatewayPodsSpec,
	}
}

// gatewayClass has the name of the mesh.
func gatewayClass(inputs component.Inputs) *unstructured.Unstructured {
	class := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": gatewayGroup + "/v1", "kind": "GatewayClass",
		"spec": map[string]any{"controllerName": names.GatewayController(inputs.Mesh.Name), "description": "The ingress gateway of the mesh " + inputs.Mesh.Name},
	}}
	class.SetName(inputs.Mesh.Name)
	if allowed := settings(inputs.Mesh).AllowedNamespaces; len(allowed) > 0 {
		class.SetAnnotations(map[string]string{names.AllowedNamespacesAnnotation: strings.Join(slices.Sorted(slices.Values(allowed)), ",")})
	}
	class.SetLabels(operand.Labels(inputs.Mesh.Name, inputs.ControlPlanes[0].Release.Version))
	return class
}

// DefaultPorts are the default of spec.ingressGateway.ports.
func DefaultPorts() []int32 { return []int32{80, 443} }

// Mode returns the mode, with its default.
func Mode(mesh *v1alpha1.Mesh) v1alpha1.IngressGatewayMode {
	return ptr.Deref(settings(mesh).Mode, v1alpha1.IngressGatewayDisabled)
}

func settings(mesh *v1alpha1.Mesh) v1alpha1.IngressGatewaySpec {
	return ptr.Deref(mesh.Spec.IngressGateway, v1alpha1.IngressGatewaySpec{})
}

// ports are sorted.
func ports(mesh *v1alpha1.Mesh) []int32 {
	list := settings(mesh).Ports
	if len(list) == 0 {
		list = DefaultPorts()
	}
	return slices.Sorted(slices.Values(list))
}

// podPort returns the port of the pods for a port of the Service. Envoy has no privileges, so it cannot use ports below 1024.
func podPort(port int32) int32 {
	const privileged, offset = 1024, 10000
	if port < privileged {
		return port + offset
	}
	return port
}
