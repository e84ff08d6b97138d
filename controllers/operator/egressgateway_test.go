package operator_test

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/utils/ptr"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// An edit of the image of sidecars in the MeshConfig also changes that of a gateway.
func TestGatewayRunsTheImageOfSidecars(t *testing.T) {
	t.Parallel()
	const mesh, image = "gatewayimage", "mirror.example/envoy:v1"
	m := readyMesh(t, mesh, fastUpgrades)
	change(t, m, func(m *v1alpha1.Mesh) {
		m.Spec.EgressGateway = &v1alpha1.EgressGatewaySpec{Mode: ptr.To(v1alpha1.EgressGatewayManaged)}
	})
	gateway := &appsv1.Deployment{ObjectMeta: inMeshNamespace(mesh, names.EgressGateway)}
	waitFor(t, gateway, func(*appsv1.Deployment) error { return nil })
	change(t, meshConfig(mesh), func(c *configv1alpha2.MeshConfig) { c.Spec.Sidecar.EnvoyImage = image })
	waitFor(t, gateway, func(d *appsv1.Deployment) error {
		for _, container := range d.Spec.Template.Spec.InitContainers {
			if container.Name == names.SidecarContainer && container.Image == image {
				return nil
			}
		}
		return fmt.Errorf("no container %s with the image %s", names.SidecarContainer, image)
	})
}
