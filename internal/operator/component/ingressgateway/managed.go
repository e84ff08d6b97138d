package ingressgateway

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/gatewaypods"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
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
	listeners := lists.Map(ports(mesh), func(port int32) string { return names.GatewayListener(uint16(port)) }) //nolint:gosec // the schema limits it
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
			allowed := lists.Map(ports(inputs.Mesh), func(port int32) string { return strconv.Itoa(int(port)) })
			annotations[names.AllowedPortsAnnotation] = strings.Join(allowed, ",")
		}
		if service := settings(inputs.Mesh).Service; service != nil && len(service.AllowedMetadata) > 0 {
			annotations[names.AllowedMetadataAnnotation] = strings.Join(slices.Sorted(slices.Values(service.AllowedMetadata)), ",")
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

// service has the ports that listeners may use. The control plane reads them.
func service(mesh *v1alpha1.Mesh) *corev1.Service {
	return serviceOf(mesh, podSettings(mesh), ports(mesh))
}

// serviceOf is the Service of pods with the settings of the Mesh.
func serviceOf(mesh *v1alpha1.Mesh, pods gatewaypods.Settings, ports []int32) *corev1.Service {
	declared := ptr.Deref(settings(mesh).Service, v1alpha1.GatewayServiceSpec{})
	out := component.Service(mesh, pods.Name, pods.Selector())
	out.Labels, out.Annotations = component.UserLabels(mesh, declared.Labels.Map()), declared.Annotations
	out.Spec.Type = ptr.Deref(declared.Type, corev1.ServiceTypeLoadBalancer)
	out.Spec.LoadBalancerClass, out.Spec.LoadBalancerSourceRanges = declared.LoadBalancerClass, declared.LoadBalancerSourceRanges
	// Without an external address, there is no traffic policy. With one, Local keeps the addresses of clients.
	if out.Spec.Type != corev1.ServiceTypeClusterIP {
		out.Spec.ExternalTrafficPolicy = ptr.Deref(declared.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyLocal)
	}
	for _, port := range ports {
		out.Spec.Ports = append(out.Spec.Ports, corev1.ServicePort{
			Name: fmt.Sprintf("port-%d", port), Port: port, TargetPort: podPort(port), Protocol: corev1.ProtocolTCP, NodePort: nodePort(declared, port),
		})
	}
	return out
}

// podPort is the port of the pods for a port of the Service.
func podPort(port int32) intstr.IntOrString {
	return intstr.FromInt32(int32(names.GatewayPodPort(uint16(port)))) //nolint:gosec // the schema limits it
}

// nodePort is the declared port of nodes for a port; 0 lets Kubernetes choose.
func nodePort(declared v1alpha1.GatewayServiceSpec, port int32) int32 {
	for _, chosen := range declared.NodePorts {
		if chosen.Port == port {
			return chosen.NodePort
		}
	}
	return 0
}
