package peergateway_test

import (
	"bytes"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/peergateway"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/testing/golden"
)

func mesh(settings v1alpha1.PeerGatewaySpec) *v1alpha1.Mesh {
	settings.Mode = ptr.To(v1alpha1.PeerGatewayManaged)
	return &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}, Spec: v1alpha1.MeshSpec{PeerGateway: &settings, ControlPlane: &v1alpha1.ControlPlaneSpec{ImagePullSecrets: []v1alpha1.PullSecret{{Name: "registry"}}}}}
}

func render(t *testing.T, mesh *v1alpha1.Mesh, release *operand.Release) ([]*unstructured.Unstructured, error) {
	t.Helper()
	return peergateway.Managed{}.Render(component.Inputs{Mesh: mesh, ControlPlanes: []component.ControlPlane{{
		Release: release,
		Parameters: operand.Parameters{
			Namespace: "osm-system", TrustDomain: "cluster.local", Images: release.Images,
		},
	}}})
}

// catalogue returns all versions of the control plane.
func catalogue(t *testing.T) *operand.Catalogue {
	t.Helper()
	c, err := operand.NewCatalogue("v9.9.9", operand.Images{Controller: "c", Injector: "i", Init: "example/init", Sidecar: "example/envoy"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func release(t *testing.T, version string) *operand.Release {
	t.Helper()
	r, err := catalogue(t).Release(version)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var custom = v1alpha1.PeerGatewaySpec{
	Service: &v1alpha1.PeerGatewayServiceSpec{
		Type: ptr.To(corev1.ServiceTypeLoadBalancer), Annotations: v1alpha1.Annotations{"example.com/internal": "true"},
		Labels: v1alpha1.Labels{"team": "mesh", "operator.openservicemesh.io/mesh": "another"}, LoadBalancerClass: ptr.To("example.com/class"),
		LoadBalancerSourceRanges: []string{"192.0.2.0/24"}, ExternalTrafficPolicy: ptr.To(corev1.ServiceExternalTrafficPolicyCluster), NodePort: ptr.To[int32](30443),
	},
	GatewayPodsSpec: v1alpha1.GatewayPodsSpec{
		Replicas: ptr.To[int32](3), SchedulingSpec: v1alpha1.SchedulingSpec{NodeSelector: v1alpha1.Labels{"pool": "peers"}},
		Resources: &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4")}},
	},
}

var scaled = v1alpha1.PeerGatewaySpec{
	Service:         &v1alpha1.PeerGatewayServiceSpec{Type: ptr.To(corev1.ServiceTypeLoadBalancer), LoadBalancerSourceRanges: []string{v1alpha1.AnySource}},
	GatewayPodsSpec: v1alpha1.GatewayPodsSpec{Autoscaling: &v1alpha1.AutoscalingSpec{MaxReplicas: 5}},
}

func TestGolden(t *testing.T) {
	for name, settings := range map[string]v1alpha1.PeerGatewaySpec{"defaults": {}, "custom": custom, "scaled": scaled} {
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
	for name, m := range map[string]*v1alpha1.Mesh{"no settings": {}, "no mode": {Spec: v1alpha1.MeshSpec{PeerGateway: &v1alpha1.PeerGatewaySpec{}}}} {
		if (peergateway.Managed{}).Enabled(m) {
			t.Errorf("%s: the gateway is enabled, want the default Disabled", name)
		}
	}
	if !(peergateway.Managed{}).Enabled(mesh(custom)) {
		t.Error("mode Managed does not enable the gateway")
	}
}

// A control plane that knows no peers would configure the pods as those of a workload.
func TestControlPlanesWithoutPeersGetNoGateway(t *testing.T) {
	earlier := 0
	for _, version := range catalogue(t).Known() {
		if version == "v9.9.9" {
			continue
		}
		earlier++
		objects, err := render(t, mesh(custom), release(t, version))
		if len(objects) > 0 || err == nil || !strings.Contains(err.Error(), "version "+version+" of the control plane does not support it: set spec.version") {
			t.Errorf("with %s there are %d objects (%v)", version, len(objects), err)
		}
		if version == "v0.5.0" {
			break // later versions know peers
		}
	}
	if earlier == 0 {
		t.Error("there is no earlier version")
	}
}
