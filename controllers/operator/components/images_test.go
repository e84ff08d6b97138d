package components

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestPodImages checks whose images components get: those of the Mesh before those of its MeshConfig, and none of another mesh.
func TestPodImages(t *testing.T) {
	config := func(namespace string) *configv1alpha2.MeshConfig {
		return &configv1alpha2.MeshConfig{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: names.MeshConfig},
			Spec:       configv1alpha2.MeshConfigSpec{Sidecar: configv1alpha2.SidecarSpec{EnvoyImage: "config/envoy", InitContainerImage: "config/init"}},
		}
	}
	image := &v1alpha1.SidecarSpec{Image: ptr.To("mesh/envoy")}
	for name, test := range map[string]struct {
		config      *configv1alpha2.MeshConfig
		sidecar     *v1alpha1.SidecarSpec
		envoy, init string
	}{
		"none":                   {config("other"), nil, "", ""},
		"of the MeshConfig":      {config("osm-system"), nil, "config/envoy", "config/init"},
		"of the Mesh":            {config("osm-system"), image, "mesh/envoy", "config/init"},
		"before a MeshConfig is": {config("other"), image, "mesh/envoy", ""},
	} {
		t.Run(name, func(t *testing.T) {
			mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}, Spec: v1alpha1.MeshSpec{Sidecar: test.sidecar}}
			r := &Reconciler{Cluster: &observe.Cluster{Client: clientWith(t, mesh, test.config)}}
			inputs := component.Inputs{Mesh: mesh}
			if err := r.addPodImages(t.Context(), &inputs); err != nil || inputs.EnvoyImage != test.envoy || inputs.InitImage != test.init {
				t.Errorf("images %q and %q (%v), want %q and %q", inputs.EnvoyImage, inputs.InitImage, err, test.envoy, test.init)
			}
		})
	}
}

func clientWith(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}
