package desired

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

// shaped is a Mesh that declares a control plane.
func shaped(shape v1alpha1.ControlPlaneSpec) *v1alpha1.Mesh {
	mesh := &v1alpha1.Mesh{Spec: v1alpha1.MeshSpec{ControlPlane: &shape}}
	mesh.Name = "osm"
	return mesh
}

func TestAutoscalingHasDefaultsAndNoReplicas(t *testing.T) {
	mesh := shaped(v1alpha1.ControlPlaneSpec{Autoscaling: &v1alpha1.AutoscalingSpec{MaxReplicas: 7}})
	revision := Revision(mesh, Of(mesh, "v0.1.0"), operand.Images{})
	if revision.Spec.ControlPlane.Replicas != nil {
		t.Errorf("a revision with autoscaling says %d replicas", *revision.Spec.ControlPlane.Replicas)
	}
	want := &operand.Autoscaling{Min: 2, Max: 7, CPU: 80}
	if diff := cmp.Diff(want, Parameters(revision, "osm-operator-system").Autoscaling); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if mesh.Spec.ControlPlane.Autoscaling.MinReplicas != nil {
		t.Error("a default was written into the Mesh")
	}
}

func TestDeclaredImagesReplaceThoseOfTheVersion(t *testing.T) {
	version := operand.Images{Controller: "c", Injector: "i", Init: "n", Sidecar: "s"}
	mesh := shaped(v1alpha1.ControlPlaneSpec{Images: &v1alpha1.ImagesSpec{Controller: ptr.To("mirror/c"), Init: ptr.To("mirror/n")}})
	parameters := Parameters(Revision(mesh, Of(mesh, "v0.1.0"), version), "osm-operator-system")
	if want := (operand.Images{Controller: "mirror/c", Injector: "i", Init: "mirror/n", Sidecar: "s"}); parameters.Images != want {
		t.Errorf("images = %+v, want %+v", parameters.Images, want)
	}
}

func TestSchedulingReachesTheParameters(t *testing.T) {
	shape := v1alpha1.ControlPlaneSpec{
		PriorityClassName: ptr.To("high"), NodeSelector: map[string]string{"pool": "infra"},
		Tolerations: []corev1.Toleration{{Key: "infra"}}, Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{}},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{TopologyKey: "zone"}}, ImagePullSecrets: []v1alpha1.PullSecret{{Name: "registry"}},
	}
	mesh := shaped(shape)
	want := operand.Scheduling{
		PriorityClass: "high", NodeSelector: shape.NodeSelector, Tolerations: shape.Tolerations, Affinity: shape.Affinity,
		Spread: shape.TopologySpreadConstraints, PullSecrets: []string{"registry"},
	}
	if diff := cmp.Diff(want, Parameters(Revision(mesh, Of(mesh, "v0.1.0"), operand.Images{}), "osm-operator-system").Scheduling); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
