package egressgateway_test

import (
	"bytes"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/egressgateway"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/testing/golden"
)

func mesh(settings v1alpha1.EgressGatewaySpec) *v1alpha1.Mesh {
	settings.Mode = ptr.To(v1alpha1.EgressGatewayManaged)
	return &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}, Spec: v1alpha1.MeshSpec{EgressGateway: &settings, ControlPlane: &v1alpha1.ControlPlaneSpec{ImagePullSecrets: []v1alpha1.PullSecret{{Name: "registry"}}}}}
}

func render(t *testing.T, mesh *v1alpha1.Mesh, release *operand.Release) ([]*unstructured.Unstructured, error) {
	t.Helper()
	return egressgateway.Managed{}.Render(component.Inputs{Mesh: mesh, ControlPlanes: []component.ControlPlane{{
		Release: release,
		Parameters: operand.Parameters{
			Namespace: "osm-system", TrustDomain: "cluster.local", Images: release.Images,
		},
	}}})
}

// release returns a version of the control plane.
func release(t *testing.T, version string) *operand.Release {
	t.Helper()
	c, err := operand.NewCatalogue("v9.9.9", operand.Images{Controller: "c", Injector: "i", Init: "example/init", Sidecar: "example/envoy"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Release(version)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var custom = v1alpha1.EgressGatewaySpec{
	AllowedNamespaces: []string{"warehouse", "archive"},
	GatewayPodsSpec: v1alpha1.GatewayPodsSpec{
		Replicas: ptr.To[int32](3), SchedulingSpec: v1alpha1.SchedulingSpec{NodeSelector: v1alpha1.Labels{"pool": "outgoing"}},
		Resources: &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4")}},
	},
}

var scaled = v1alpha1.EgressGatewaySpec{GatewayPodsSpec: v1alpha1.GatewayPodsSpec{Autoscaling: &v1alpha1.AutoscalingSpec{MaxReplicas: 5}}}

func TestGolden(t *testing.T) {
	for name, settings := range map[string]v1alpha1.EgressGatewaySpec{"defaults": {}, "custom": custom, "scaled": scaled} {
		t.Run(name, func(t *testing.T) {
			objects, err := render(t, mesh(settings), release(t, "v9.9.9"))
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			for _, object := range objects {
				text, err := yaml.Marshal(object.Object)
				if err != nil {
					t.Fatal(err)
				}
				got.WriteString("---\n")
				got.Write(text)
			}
			golden.Compare(t, "testdata/"+name+".yaml", got.Bytes())
		})
	}
}

func TestMode(t *testing.T) {
	for name, m := range map[string]*v1alpha1.Mesh{"no settings": {}, "no mode": {Spec: v1alpha1.MeshSpec{EgressGateway: &v1alpha1.EgressGatewaySpec{}}}} {
		if (egressgateway.Managed{}).Enabled(m) {
			t.Errorf("%s: the gateway is enabled, want the default Disabled", name)
		}
	}
	if !(egressgateway.Managed{}).Enabled(mesh(custom)) {
		t.Error("mode Managed does not enable the gateway")
	}
}
