package egressgateway

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/gatewaypods"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Managed runs an egress gateway in the namespace of the mesh.
type Managed struct{ component.Passive }

// Mode returns the mode, with its default.
func Mode(mesh *v1alpha1.Mesh) v1alpha1.EgressGatewayMode {
	return ptr.Deref(settings(mesh).Mode, v1alpha1.EgressGatewayDisabled)
}

func settings(mesh *v1alpha1.Mesh) v1alpha1.EgressGatewaySpec {
	return ptr.Deref(mesh.Spec.EgressGateway, v1alpha1.EgressGatewaySpec{})
}

// Name implements component.Component.
func (Managed) Name() string { return "egress-gateway" }

// Enabled implements component.Optional.
func (Managed) Enabled(mesh *v1alpha1.Mesh) bool { return Mode(mesh) == v1alpha1.EgressGatewayManaged }

// Requires implements component.Component.
func (Managed) Requires() []component.Kind { return gatewaypods.Kinds() }

// Render implements component.Component.
func (Managed) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	if len(inputs.ControlPlanes) == 0 {
		return nil, nil
	}
	pods := gatewaypods.Settings{
		Name: names.EgressGateway, ServiceAccount: names.EgressGateway, Listeners: []string{names.EgressGatewayListener},
		Pods: settings(inputs.Mesh).GatewayPodsSpec,
	}
	return pods.Objects(inputs, service(inputs.Mesh, pods))
}

// service is what sidecars connect to. The control plane reads its addresses.
func service(mesh *v1alpha1.Mesh, pods gatewaypods.Settings) *corev1.Service {
	service := component.Service(mesh, pods.Name, pods.Selector(), corev1.ServicePort{
		Name: "sidecars", Port: names.EgressGatewayPort, TargetPort: intstr.FromInt32(names.EgressGatewayPort), Protocol: corev1.ProtocolTCP,
	})
	service.Spec.Type = corev1.ServiceTypeClusterIP
	if allowed := settings(mesh).AllowedNamespaces; len(allowed) > 0 {
		service.Annotations = map[string]string{names.AllowedNamespacesAnnotation: strings.Join(slices.Sorted(slices.Values(allowed)), ",")}
	}
	return service
}

// Health implements component.Component. It is that of the Deployment.
func (Managed) Health(live []*unstructured.Unstructured) component.Health {
	return component.DeploymentHealth(live, names.EgressGateway)
}
