package ingressgateway_test

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
	"github.com/openservicemesh/osm-operator/internal/operator/component/ingressgateway"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/golden"
)

func mesh(settings v1alpha1.IngressGatewaySpec) *v1alpha1.Mesh {
	settings.Mode = ptr.To(v1alpha1.IngressGatewayManaged)
	return &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}, Spec: v1alpha1.MeshSpec{IngressGateway: &settings, ControlPlane: &v1alpha1.ControlPlaneSpec{ImagePullSecrets: []v1alpha1.PullSecret{{Name: "registry"}}}}}
}

// TestImagesOfNewPods checks that a gateway runs its own image, or else the images that the Mesh or the MeshConfig sets for sidecars.
func TestImagesOfNewPods(t *testing.T) {
	testImages(t, v1alpha1.IngressGatewaySpec{}, "mirror/envoy")
	testImages(t, v1alpha1.IngressGatewaySpec{GatewayPodsSpec: v1alpha1.GatewayPodsSpec{Image: ptr.To("mirror/patched")}}, "mirror/patched")
}

func testImages(t *testing.T, settings v1alpha1.IngressGatewaySpec, envoy string) {
	t.Helper()
	version := release(t, "v9.9.9")
	objects, err := ingressgateway.Managed{}.Render(component.Inputs{
		Mesh: mesh(settings), EnvoyImage: "mirror/envoy", InitImage: "mirror/init",
		ControlPlanes: []component.ControlPlane{{Release: version, Parameters: operand.Parameters{Namespace: "osm-system", TrustDomain: "cluster.local", Images: version.Images}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	images := map[string]string{}
	for _, object := range objects {
		for _, field := range []string{"initContainers", "containers"} {
			containers, _, err := unstructured.NestedSlice(object.Object, "spec", "template", "spec", field)
			if err != nil {
				t.Fatal(err)
			}
			for _, container := range containers {
				c := container.(map[string]any)
				images[c["name"].(string)] = c["image"].(string)
			}
		}
	}
	if len(images) != 3 {
		t.Errorf("containers %v, want three", images)
	}
	for name, image := range images {
		if want := map[bool]string{true: envoy, false: "mirror/init"}[name == names.SidecarContainer]; image != want {
			t.Errorf("the container %s has the image %s, want %s", name, image, want)
		}
	}
}

func render(t *testing.T, mesh *v1alpha1.Mesh, release *operand.Release, gateways ...*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	t.Helper()
	return ingressgateway.Managed{}.Render(component.Inputs{Mesh: mesh, Gateways: gateways, ControlPlanes: []component.ControlPlane{{
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

var custom = v1alpha1.IngressGatewaySpec{
	AllowedNamespaces: []string{"shop", "infra"},
	Service:           &v1alpha1.GatewayServiceSpec{Type: ptr.To(corev1.ServiceTypeClusterIP)}, Ports: []int32{8443, 80},
	GatewayPodsSpec: v1alpha1.GatewayPodsSpec{
		Replicas: ptr.To[int32](3), DrainDelay: ptr.To(v1alpha1.Duration("1m30s")),
		SchedulingSpec: v1alpha1.SchedulingSpec{
			NodeSelector:      v1alpha1.Labels{"pool": "edge"},
			Tolerations:       []corev1.Toleration{{Key: "example.com/edge", Operator: corev1.TolerationOpExists}},
			PriorityClassName: ptr.To("edge"),
			Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: corev1.LabelHostname}},
			}},
		},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule}},
		Resources:                 &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4")}},
	},
}

// balanced has what clouds and autoscalers need.
var balanced = v1alpha1.IngressGatewaySpec{
	Service: &v1alpha1.GatewayServiceSpec{
		Annotations: map[string]string{"service.beta.kubernetes.io/aws-load-balancer-type": "external"},
		Labels:      v1alpha1.Labels{"team": "edge", names.MeshLabel: "another"}, LoadBalancerClass: ptr.To("service.k8s.aws/nlb"),
		ExternalTrafficPolicy: ptr.To(corev1.ServiceExternalTrafficPolicyCluster), LoadBalancerSourceRanges: []string{"192.0.2.0/24"},
		NodePorts: []v1alpha1.GatewayNodePort{{Port: 443, NodePort: 30443}},
	},
	GatewayPodsSpec: v1alpha1.GatewayPodsSpec{
		Autoscaling:    &v1alpha1.AutoscalingSpec{MinReplicas: ptr.To[int32](3), MaxReplicas: 9, TargetCPUUtilizationPercentage: ptr.To[int32](60)},
		SchedulingSpec: v1alpha1.SchedulingSpec{ImagePullSecrets: []v1alpha1.PullSecret{{Name: "edge-registry"}}},
	},
}

func TestGolden(t *testing.T) {
	for name, settings := range map[string]v1alpha1.IngressGatewaySpec{"defaults": {}, "custom": custom, "balanced": balanced, "per-gateway": perGateway} {
		t.Run(name, func(t *testing.T) {
			objects, err := render(t, mesh(settings), release(t, "v9.9.9"), gatewayOf("shop", "web", hostile, 80, 8443))
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
	for name, m := range map[string]*v1alpha1.Mesh{"no settings": {}, "no mode": {Spec: v1alpha1.MeshSpec{IngressGateway: &v1alpha1.IngressGatewaySpec{}}}} {
		if (ingressgateway.Managed{}).Enabled(m) {
			t.Errorf("%s: the gateway is enabled, want the default Disabled", name)
		}
	}
	if !(ingressgateway.Managed{}).Enabled(mesh(custom)) {
		t.Error("mode Managed does not enable the gateway")
	}
}
