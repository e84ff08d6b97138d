package desired

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

func TestDefaults(t *testing.T) {
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
	want := Mesh{
		Name: "osm", Namespace: "osm-system", Version: "v0.1.0", TrustDomain: "cluster.local",
		Key:      v1alpha1.KeySpec{Algorithm: ptr.To(v1alpha1.ECDSA), Size: ptr.To[int32](256)},
		Provider: v1alpha1.ProviderBuiltIn,
	}
	if diff := cmp.Diff(want, StateOf(mesh, "v0.1.0")); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestKeyDefaultsDependOnTheAlgorithm(t *testing.T) {
	mesh := &v1alpha1.Mesh{Spec: v1alpha1.MeshSpec{Certificates: &v1alpha1.CertificatesSpec{Key: &v1alpha1.KeySpec{Algorithm: ptr.To(v1alpha1.RSA)}}}}
	if size := *StateOf(mesh, "v0.1.0").Key.Size; size != 2048 {
		t.Errorf("an RSA key has %d bits by default, want 2048", size)
	}
}

// A revision has every default. It does not change when the Mesh sets a field to its default.
func TestRevisionHasEveryDefault(t *testing.T) {
	images := operand.Images{Controller: "c", Injector: "i", Init: "n", Sidecar: "s"}
	implicit := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
	explicit := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}, Spec: v1alpha1.MeshSpec{
		Namespace: ptr.To("osm-system"), Version: ptr.To("v0.1.0"),
		ControlPlane: &v1alpha1.ControlPlaneSpec{
			Controller: &v1alpha1.WorkloadSpec{Replicas: ptr.To[int32](2)}, Injector: &v1alpha1.WorkloadSpec{Replicas: ptr.To[int32](2)}, LogLevel: ptr.To("info"),
		},
	}}
	got := Revision(implicit, StateOf(implicit, "v0.1.0"), Choice{Name: "osm-v0-1-0"}, images)
	if diff := cmp.Diff(Revision(explicit, StateOf(explicit, "v9.9.9"), Choice{Name: "osm-v0-1-0"}, images), got); diff != "" {
		t.Errorf("defaults and their explicit values differ (-explicit +default):\n%s", diff)
	}
	if got.Name != "osm-v0-1-0" || *got.Spec.ControlPlane.Controller.Replicas != 2 || got.Spec.Images.Sidecar != "s" {
		t.Errorf("revision = %+v", got)
	}
	parameters := Parameters(got, "osm-operator-system")
	if parameters.Revision != "osm-v0-1-0" || parameters.Images != images || parameters.KeySize != 256 || parameters.Controller.Replicas != 2 || parameters.Injector.Replicas != 2 {
		t.Errorf("parameters = %+v", parameters)
	}
}

func TestIsRevisionOf(t *testing.T) {
	tests := []struct {
		mesh, revision string
		want           bool
	}{
		{"osm", "osm-v0-1-0", true},
		{"osm", "osm-v0-1-0-rc-1", true},
		{"osm", "osm-dev", true},
		{"osm", "osm-two-v0-1-0", false},
		{"osm", "osm", false},
		{"osm-two", "osm-v0-1-0", false},
	}
	for _, test := range tests {
		if got := IsRevisionOf(test.mesh, test.revision); got != test.want {
			t.Errorf("IsRevisionOf(%q, %q) = %v", test.mesh, test.revision, got)
		}
	}
	for _, version := range []string{"v0.1.0", "v1.22.333-rc.1", "dev"} {
		if name := RevisionName("osm", version); !IsRevisionOf("osm", name) {
			t.Errorf("IsRevisionOf rejects %s", name)
		}
	}
}
