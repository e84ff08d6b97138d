package observe

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// The desired revision depends on the MeshConfig, but not on whether somebody has just deleted it. A recorded version has one revision only.
func TestChosenRevision(t *testing.T) {
	const version = "v0.6.0"
	images := operand.Images{Controller: "c", Injector: "i", Init: "n", Sidecar: "s"}
	catalogue, err := operand.NewCatalogue(version, images)
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	if err := configv1alpha2.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	config := func(image string) *configv1alpha2.MeshConfig {
		c := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: names.DefaultNamespace, Name: names.MeshConfig}}
		c.Spec.Sidecar.EnvoyImage = image
		return c
	}
	active := v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "osm-v0-6-0"}, Spec: v1alpha1.MeshRevisionSpec{
		Version: version, Role: v1alpha1.RoleActive, Sidecar: &v1alpha1.RevisionSidecar{Image: "first", InitImage: "n", Statistics: "Essential"},
	}}
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}, Spec: v1alpha1.MeshSpec{Version: ptr.To(version)}}
	for name, test := range map[string]struct {
		config *configv1alpha2.MeshConfig
		image  string
		same   bool
	}{
		"the same image":         {config("first"), "first", true},
		"another image":          {config("second"), "second", false},
		"the MeshConfig is gone": {nil, "first", true},
	} {
		builder := fake.NewClientBuilder().WithScheme(scheme)
		if test.config != nil {
			builder = builder.WithObjects(test.config)
		}
		c := &Cluster{Client: builder.Build(), Catalogue: catalogue}
		chosen, _, err := c.Choose(t.Context(), mesh, []v1alpha1.MeshRevision{active})
		if err != nil || chosen.Sidecar.Image != test.image || (chosen.Name == active.Name) != test.same {
			t.Errorf("%s: %s with %+v (%v), want the image %s and the active revision: %t", name, chosen.Name, chosen.Sidecar, err, test.image, test.same)
		}
	}
	if _, _, err := (&Cluster{Catalogue: catalogue}).Choose(t.Context(), &v1alpha1.Mesh{Spec: v1alpha1.MeshSpec{Version: ptr.To("v9.9.9")}}, nil); !operand.IsUnknownVersion(err) {
		t.Errorf("the error for an unknown version is %v", err)
	}
}
