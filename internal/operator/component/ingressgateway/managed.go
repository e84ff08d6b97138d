package ingressgateway

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/gatewaypods"
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
	pods := podSettings(inputs.Mesh)
	gateway, err := pods.Deployment(inputs)
	if err != nil {
		return nil, err
	}
	all, err := component.Labelled(inputs, pods.ServiceAccount(inputs.Mesh), service(inputs.Mesh), gateway, pods.DisruptionBudget(inputs.Mesh))
	return append(all, gatewayClass(inputs)), err
}

// Health implements component.Component. It is that of the Deployment.
func (Managed) Health(live []*unstructured.Unstructured) component.Health {
	return component.DeploymentHealth(live, names.IngressGateway)
}
