package operand

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// scaledParameters set autoscaling and all scheduling fields.
func scaledParameters() Parameters {
	p := testParameters()
	scaled := Workload{Autoscaling: &Autoscaling{Min: 3, Max: 9, CPU: 60}}
	p.Controller, p.Injector = scaled, scaled
	p.Scheduling = Scheduling{
		PriorityClass: "mesh-critical",
		NodeSelector:  map[string]string{"example.com/pool": "infrastructure"},
		Tolerations:   []corev1.Toleration{{Key: "example.com/infrastructure", Operator: corev1.TolerationOpExists}},
		Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: "kubernetes.io/hostname"}},
			PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 1, PodAffinityTerm: corev1.PodAffinityTerm{
				TopologyKey: "example.com/rack", LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"example.com/noisy": "true"}},
			}}},
		}},
		Spread:      []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "example.com/rack", WhenUnsatisfiable: corev1.DoNotSchedule}},
		PullSecrets: []string{"registry"},
	}
	return p
}

// ofKind reads the objects of one kind.
func ofKind[T any](t *testing.T, objects []*unstructured.Unstructured, kind string) []T {
	t.Helper()
	var all []T
	for _, object := range objects {
		if object.GetKind() != kind {
			continue
		}
		var one T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

func TestAutoscaling_OmitsReplicas(t *testing.T) {
	objects := renderAll(t, testRelease(t), scaledParameters())
	var scaled []string
	for _, a := range ofKind[autoscalingv2.HorizontalPodAutoscaler](t, objects, "HorizontalPodAutoscaler") {
		if *a.Spec.MinReplicas != 3 || a.Spec.MaxReplicas != 9 || *a.Spec.Metrics[0].Resource.Target.AverageUtilization != 60 {
			t.Errorf("%s scales by %+v", a.Name, a.Spec)
		}
		if a.Namespace != "osm-system" || a.Labels[names.MeshLabel] != "osm" || a.Name != a.Spec.ScaleTargetRef.Name {
			t.Errorf("autoscaler %s/%s with labels %v scales %s", a.Namespace, a.Name, a.Labels, a.Spec.ScaleTargetRef.Name)
		}
		scaled = append(scaled, a.Spec.ScaleTargetRef.Name)
	}
	if diff := cmp.Diff([]string{names.Controller, names.Injector}, scaled); diff != "" {
		t.Errorf("scaled Deployments (-want +got):\n%s", diff)
	}
	for _, object := range objects {
		if _, found, _ := unstructured.NestedFieldNoCopy(object.Object, "spec", "replicas"); found && object.GetKind() == "Deployment" {
			t.Errorf("%s has replicas and an autoscaler", object.GetName())
		}
	}
	if !slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "PodDisruptionBudget" }) {
		t.Error("there is no disruption budget with an autoscaler")
	}
}

// For Kubernetes an absent selector matches no pods.
func TestAbsentSelectors_SelectTheSameDeployment(t *testing.T) {
	for _, d := range ofKind[appsv1.Deployment](t, renderAll(t, testRelease(t), scaledParameters()), "Deployment") {
		pod := d.Spec.Template.Spec
		own := &metav1.LabelSelector{MatchLabels: map[string]string{names.AppLabel: d.Name}}
		anti := pod.Affinity.PodAntiAffinity
		if diff := cmp.Diff(own, anti.RequiredDuringSchedulingIgnoredDuringExecution[0].LabelSelector); diff != "" {
			t.Errorf("anti-affinity of %s (-want +got):\n%s", d.Name, diff)
		}
		if diff := cmp.Diff(own, pod.TopologySpreadConstraints[0].LabelSelector); diff != "" {
			t.Errorf("topology spread of %s (-want +got):\n%s", d.Name, diff)
		}
		if s := anti.PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.LabelSelector; s.MatchLabels["example.com/noisy"] != "true" {
			t.Errorf("%s: a set selector became %v", d.Name, s)
		}
		if len(pod.TopologySpreadConstraints) != 1 || len(anti.PreferredDuringSchedulingIgnoredDuringExecution) != 1 {
			t.Errorf("%s: the set values were added to the default instead of replacing it", d.Name)
		}
		if diff := cmp.Diff(map[string]string{"kubernetes.io/os": "linux", "example.com/pool": "infrastructure"}, pod.NodeSelector); diff != "" {
			t.Errorf("%s: nodes (-want +got):\n%s", d.Name, diff)
		}
	}
}

// Without scheduling parameters the values of the manifests apply.
func TestAbsentScheduling_KeepsTheManifests(t *testing.T) {
	for _, d := range ofKind[appsv1.Deployment](t, renderAll(t, testRelease(t), testParameters()), "Deployment") {
		pod := d.Spec.Template.Spec
		if pod.PriorityClassName != "system-cluster-critical" || pod.Affinity == nil || len(pod.TopologySpreadConstraints) != 1 || *d.Spec.Replicas != 2 {
			t.Errorf("%s has lost defaults: %+v", d.Name, pod)
		}
	}
}
