package ingressgateway

import (
	"slices"
	"strconv"
	"strings"
	"time"

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
type Managed struct{ component.Passive }

// Name implements component.Component.
func (Managed) Name() string { return "ingress-gateway" }

// Enabled implements component.Optional.
func (Managed) Enabled(mesh *v1alpha1.Mesh) bool { return Mode(mesh) == v1alpha1.IngressGatewayManaged }

// Requires implements component.Component.
func (Managed) Requires() []component.Kind {
	return append(gatewaypods.Kinds(), component.V1(gatewayGroup, "GatewayClass", "gatewayclasses"))
}

// Render implements component.Component.
func (Managed) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	if len(inputs.ControlPlanes) == 0 {
		return nil, nil
	}
	class := gatewayClass(inputs)
	if !isPerGateway(inputs.Mesh) {
		all, err := podSettings(inputs.Mesh).Objects(inputs, service(inputs.Mesh))
		return append(all, class), err
	}
	all, err := component.Labelled(inputs, component.ServiceAccount(inputs.Mesh, names.IngressGateway))
	if err != nil {
		return nil, err
	}
	dedicated, err := dedicatedObjects(inputs, class)
	return slices.Concat(all, dedicated, []*unstructured.Unstructured{class}), err
}

// ReadsGateways implements component.GatewayReader.
func (Managed) ReadsGateways(mesh *v1alpha1.Mesh) bool { return isPerGateway(mesh) }

// Health implements component.Component. It is that of the Deployments.
func (Managed) Health(live []*unstructured.Unstructured) component.Health {
	if health, dedicated := dedicatedHealth(live); dedicated {
		return health
	}
	return component.DeploymentHealth(live, names.IngressGateway)
}

// drainDelay is what load balancers need to notice that a node has no pod left that is ready.
const drainDelay = 30 * time.Second

func podSettings(mesh *v1alpha1.Mesh) gatewaypods.Settings {
	var listeners []string
	for _, port := range ports(mesh) {
		listeners = append(listeners, names.GatewayListener(uint16(port))) //nolint:gosec // the schema limits it
	}
	return gatewaypods.Settings{
		Name: names.IngressGateway, ServiceAccount: names.IngressGateway, Listeners: listeners, Pods: settings(mesh).GatewayPodsSpec, DrainDelay: drainDelay,
	}
}

// gatewayClass has the name of the mesh.
func gatewayClass(inputs component.Inputs) *unstructured.Unstructured {
	class := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": gatewayGroup + "/v1", "kind": "GatewayClass",
		"spec": map[string]any{
			"controllerName": names.GatewayController(inputs.Mesh.Name),
			"description":    "The ingress gateway of the mesh " + inputs.Mesh.Name,
		},
	}}
	class.SetName(inputs.Mesh.Name)
	annotations := map[string]string{}
	if allowed := settings(inputs.Mesh).AllowedNamespaces; len(allowed) > 0 {
		annotations[names.AllowedNamespacesAnnotation] = strings.Join(slices.Sorted(slices.Values(allowed)), ",")
	}
	if isPerGateway(inputs.Mesh) {
		annotations[names.GatewayDeploymentAnnotation] = names.GatewayDeploymentPerGateway
		if len(settings(inputs.Mesh).Ports) > 0 {
			annotations[names.AllowedPortsAnnotation] = joinPorts(ports(inputs.Mesh))
		}
	}
	if len(annotations) > 0 {
		class.SetAnnotations(annotations)
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

// isPerGateway reports whether each Gateway has pods of its own.
func isPerGateway(mesh *v1alpha1.Mesh) bool {
	return ptr.Deref(settings(mesh).Deployment, v1alpha1.GatewayDeploymentShared) == v1alpha1.GatewayDeploymentPerGateway
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

func joinPorts(ports []int32) string {
	texts := make([]string, len(ports))
	for i, port := range ports {
		texts[i] = strconv.Itoa(int(port))
	}
	return strings.Join(texts, ",")
}
