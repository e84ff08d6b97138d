package desired

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

// meshWith returns a Mesh with a control plane.
func meshWith(shape v1alpha1.ControlPlaneSpec) *v1alpha1.Mesh {
	mesh := &v1alpha1.Mesh{Spec: v1alpha1.MeshSpec{ControlPlane: &shape}}
	mesh.Name = "osm"
	return mesh
}

func TestAutoscalingHasDefaultsAndNoReplicas(t *testing.T) {
	mesh := meshWith(v1alpha1.ControlPlaneSpec{Controller: &v1alpha1.WorkloadSpec{Autoscaling: &v1alpha1.AutoscalingSpec{MaxReplicas: 7}}})
	revision := Revision(mesh, StateOf(mesh, "v0.1.0"), Choice{}, operand.Images{})
	if revision.Spec.ControlPlane.Controller.Replicas != nil {
		t.Errorf("a revision with autoscaling has %d replicas", *revision.Spec.ControlPlane.Controller.Replicas)
	}
	want := &operand.Autoscaling{Min: 2, Max: 7, CPU: 80}
	if diff := cmp.Diff(want, Parameters(revision, "osm-operator-system").Controller.Autoscaling); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if mesh.Spec.ControlPlane.Controller.Autoscaling.MinReplicas != nil {
		t.Error("a default was written into the Mesh")
	}
}

func TestImagesOfAMeshReplaceThoseOfTheVersion(t *testing.T) {
	version := operand.Images{Controller: "c", Injector: "i", Init: "n", Sidecar: "s"}
	mesh := meshWith(v1alpha1.ControlPlaneSpec{Images: &v1alpha1.ImagesSpec{Controller: ptr.To("mirror/c"), Init: ptr.To("mirror/n")}})
	parameters := Parameters(Revision(mesh, StateOf(mesh, "v0.1.0"), Choice{}, Images(mesh, version)), "osm-operator-system")
	if want := (operand.Images{Controller: "mirror/c", Injector: "i", Init: "mirror/n", Sidecar: "s"}); parameters.Images != want {
		t.Errorf("images = %+v, want %+v", parameters.Images, want)
	}
}

func TestParametersHaveScheduling(t *testing.T) {
	shape := v1alpha1.ControlPlaneSpec{
		PriorityClassName: ptr.To("high"), NodeSelector: v1alpha1.Labels{"pool": "infra"},
		Tolerations: []corev1.Toleration{{Key: "infra"}}, Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{}},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{TopologyKey: "zone"}}, ImagePullSecrets: []v1alpha1.PullSecret{{Name: "registry"}},
	}
	mesh := meshWith(shape)
	want := operand.Scheduling{
		PriorityClass: "high", NodeSelector: map[string]string{"pool": "infra"}, Tolerations: shape.Tolerations, Affinity: shape.Affinity,
		Spread: shape.TopologySpreadConstraints, PullSecrets: []string{"registry"},
	}
	if diff := cmp.Diff(want, Parameters(Revision(mesh, StateOf(mesh, "v0.1.0"), Choice{}, operand.Images{}), "osm-operator-system").Scheduling); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWorkloadsHaveDefaults checks what each Deployment gets that a Mesh does not set.
func TestWorkloadsHaveDefaults(t *testing.T) {
	own := &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}
	for name, c := range map[string]struct {
		own  *v1alpha1.WorkloadSpec
		want v1alpha1.WorkloadSpec
	}{
		"absent":    {nil, v1alpha1.WorkloadSpec{Replicas: ptr.To[int32](2)}},
		"replicas":  {&v1alpha1.WorkloadSpec{Replicas: ptr.To[int32](5)}, v1alpha1.WorkloadSpec{Replicas: ptr.To[int32](5)}},
		"resources": {&v1alpha1.WorkloadSpec{Resources: own}, v1alpha1.WorkloadSpec{Replicas: ptr.To[int32](2), Resources: own}},
		"autoscaling": {
			&v1alpha1.WorkloadSpec{Autoscaling: &v1alpha1.AutoscalingSpec{MaxReplicas: 4}},
			v1alpha1.WorkloadSpec{Autoscaling: &v1alpha1.AutoscalingSpec{MinReplicas: ptr.To[int32](2), MaxReplicas: 4, TargetCPUUtilizationPercentage: ptr.To[int32](80)}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := v1alpha1.ControlPlaneSpec{Controller: c.own}
			if diff := cmp.Diff(c.want, Controller(spec)); diff != "" {
				t.Errorf("controller (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(v1alpha1.WorkloadSpec{Replicas: ptr.To[int32](2)}, Injector(spec)); diff != "" {
				t.Errorf("injector (-want +got):\n%s", diff)
			}
		})
	}
}

func TestControllerAndInjectorAreConfiguredApart(t *testing.T) {
	mesh := meshWith(v1alpha1.ControlPlaneSpec{
		Controller: &v1alpha1.WorkloadSpec{Replicas: ptr.To[int32](3), Labels: v1alpha1.Labels{"team": "mesh"}},
		Injector:   &v1alpha1.WorkloadSpec{Replicas: ptr.To[int32](5), Annotations: map[string]string{"note": "a"}},
	})
	parameters := Parameters(Revision(mesh, StateOf(mesh, "v0.1.0"), Choice{}, operand.Images{}), "osm-operator-system")
	if parameters.Controller.Replicas != 3 || parameters.Controller.Labels["team"] != "mesh" || len(parameters.Controller.Annotations) > 0 {
		t.Errorf("controller = %+v", parameters.Controller)
	}
	if parameters.Injector.Replicas != 5 || parameters.Injector.Annotations["note"] != "a" || len(parameters.Injector.Labels) > 0 {
		t.Errorf("injector = %+v", parameters.Injector)
	}
}
