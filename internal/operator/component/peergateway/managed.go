package peergateway

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/gatewaypods"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Managed runs a peer gateway in the namespace of the mesh.
type Managed struct{ component.Passive }

// Mode returns the mode, with its default.
func Mode(mesh *v1alpha1.Mesh) v1alpha1.PeerGatewayMode {
	return ptr.Deref(settings(mesh).Mode, v1alpha1.PeerGatewayDisabled)
}

func settings(mesh *v1alpha1.Mesh) v1alpha1.PeerGatewaySpec {
	return ptr.Deref(mesh.Spec.PeerGateway, v1alpha1.PeerGatewaySpec{})
}

// Name implements component.Component.
func (Managed) Name() string { return "peer-gateway" }

// Enabled implements component.Optional.
func (Managed) Enabled(mesh *v1alpha1.Mesh) bool { return Mode(mesh) == v1alpha1.PeerGatewayManaged }

// Requires implements component.Component.
func (Managed) Requires() []component.Kind { return gatewaypods.Kinds() }

// drainDelay is what load balancers need to notice that a node has no pod left that is ready.
const drainDelay = 30 * time.Second

// Render implements component.Component. A control plane that knows no peers would take the pods for workloads, so it is an error. The objects of a gateway
// that exist then remain, because a Service of the type LoadBalancer would come back with another address.
func (Managed) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	if len(inputs.ControlPlanes) == 0 {
		return nil, nil
	}
	if release := inputs.ControlPlanes[0].Release; !release.ServesPeers() {
		return nil, &component.UnsupportedError{Version: release.Version, Remedy: "set spec.version of the Mesh to v0.6.0 or newer, or remove spec.peerGateway"}
	}
	pods := gatewaypods.Settings{
		// Listeners have the names of their Services.
		Name: names.PeerGateway, ServiceAccount: names.PeerGateway, Listeners: []string{names.PeerGateway, names.PeerLeaving},
		Pods: settings(inputs.Mesh).GatewayPodsSpec, DrainDelay: drainDelay,
	}
	gateway, err := pods.Objects(inputs, arriving(inputs.Mesh, pods))
	if err != nil {
		return nil, err
	}
	own, err := component.Labelled(inputs, leaving(inputs.Mesh, pods))
	return slices.Concat(gateway, own), err
}

// Health implements component.Component. It is that of the Deployment.
func (Managed) Health(live []*unstructured.Unstructured) component.Health {
	return component.DeploymentHealth(live, names.PeerGateway)
}
