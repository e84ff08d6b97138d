package v1alpha1_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/conversion"
	conversionwebhook "sigs.k8s.io/controller-runtime/pkg/webhook/conversion"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// hubSpec is the annotation in which a spoke keeps the hub's spec, so that fields that the spoke lacks survive a round trip.
const hubSpec = "operator.openservicemesh.io/v1alpha1-spec"

// spokeMesh is a Mesh of a later version, as this test imagines it: it has another name for spec.paused and no other field.
type spokeMesh struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	Spec struct {
		Suspend *bool `json:"suspend,omitempty"`
	} `json:"spec,omitzero"`
}

// DeepCopyObject implements runtime.Object.
func (s *spokeMesh) DeepCopyObject() runtime.Object {
	deep := *s
	s.DeepCopyInto(&deep.ObjectMeta)
	if s.Spec.Suspend != nil {
		deep.Spec.Suspend = ptr.To(*s.Spec.Suspend)
	}
	return &deep
}

// ConvertTo implements conversion.Convertible.
func (s *spokeMesh) ConvertTo(hub conversion.Hub) error {
	mesh := hub.(*v1alpha1.Mesh)
	s.DeepCopyInto(&mesh.ObjectMeta)
	if kept, ok := mesh.Annotations[hubSpec]; ok {
		if err := json.Unmarshal([]byte(kept), &mesh.Spec); err != nil {
			return err
		}
		delete(mesh.Annotations, hubSpec)
	}
	if len(mesh.Annotations) == 0 {
		mesh.Annotations = nil
	}
	mesh.Spec.Paused = s.Spec.Suspend
	return nil
}

// ConvertFrom implements conversion.Convertible.
func (s *spokeMesh) ConvertFrom(hub conversion.Hub) error {
	mesh := hub.(*v1alpha1.Mesh)
	mesh.ObjectMeta.DeepCopyInto(&s.ObjectMeta)
	kept, err := json.Marshal(mesh.Spec)
	if err != nil {
		return err
	}
	metav1.SetMetaDataAnnotation(&s.ObjectMeta, hubSpec, string(kept))
	s.Spec.Suspend = mesh.Spec.Paused
	return nil
}

var (
	_ conversion.Hub         = &v1alpha1.Mesh{}
	_ conversion.Hub         = &v1alpha1.MeshRevision{}
	_ conversion.Convertible = &spokeMesh{}
)

// TestHubAndSpokeConvert shows the pattern by which another version is added, see hub.go.
func TestHubAndSpokeConvert(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	later := schema.GroupVersionKind{Group: v1alpha1.GroupVersion.Group, Version: "v1beta1", Kind: "Mesh"}
	scheme.AddKnownTypeWithName(later, &spokeMesh{})
	if ok, err := conversionwebhook.IsConvertible(scheme, &v1alpha1.Mesh{}); !ok || err != nil {
		t.Fatalf("Mesh is not convertible: %v", err)
	}

	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", Labels: map[string]string{"team": "mesh"}}}
	mesh.Spec.Paused, mesh.Spec.Version = ptr.To(true), ptr.To("v0.1.0")
	spoke, back := &spokeMesh{}, &v1alpha1.Mesh{}
	if err := spoke.ConvertFrom(mesh); err != nil {
		t.Fatal(err)
	}
	if spoke.Spec.Suspend == nil || !*spoke.Spec.Suspend {
		t.Errorf("the spoke is %+v, want suspend", spoke.Spec)
	}
	if err := spoke.ConvertTo(back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(mesh, back); diff != "" {
		t.Errorf("round trip (-before +after):\n%s", diff)
	}
	spoke.Spec.Suspend = nil
	if err := spoke.ConvertTo(back); err != nil {
		t.Fatal(err)
	}
	if back.Spec.Paused != nil || *back.Spec.Version != "v0.1.0" {
		t.Errorf("a change of the spoke gives %+v", back.Spec)
	}
}
