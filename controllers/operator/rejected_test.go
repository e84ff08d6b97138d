package operator_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func TestUnknownVersionStallsAndListsKnownVersions(t *testing.T) {
	t.Parallel()
	mesh := newMesh(t, "unknown", func(spec *v1alpha1.MeshSpec) { spec.Version = ptr.To("v99.0.0") })
	c := waitCondition(t, mesh, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUnknownVersion)
	assertContains(t, c.Message, "spec.version", "v99.0.0", operatorVersion)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace("unknown")}}
	if found, err := exists(t.Context(), namespace); err != nil || found {
		t.Errorf("the namespace of a stalled mesh was created (%v)", err)
	}

	// A corrected spec is sufficient.
	cluster.kubelet.serve(meshNamespace("unknown"))
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = nil })
	waitReady(t, mesh)
}

func TestOlderMeshKeepsTheNamespace(t *testing.T) {
	t.Parallel()
	first := readyMesh(t, "claim", nil)
	second := newMesh(t, "claimtoo", func(spec *v1alpha1.MeshSpec) { spec.Namespace = ptr.To(meshNamespace("claim")) })
	c := waitCondition(t, second, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNamespaceClaimed)
	assertContains(t, c.Message, meshNamespace("claim"), "Mesh claim", "spec.namespace")
	waitReady(t, first)

	// After the older mesh is deleted, the other one is installed. The namespace must stay, because no controller of this cluster would
	// complete its deletion.
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace("claim")}}
	change(t, namespace, func(n *corev1.Namespace) { delete(n.Labels, names.MeshLabel) })
	if err := cluster.client.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	waitGone(t, first)
	waitReady(t, second)
}

func TestRunningOSMIsNotReplaced(t *testing.T) {
	t.Parallel()
	const name = "occupied"
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace(name)}})
	labels := map[string]string{names.AppLabel: names.Controller}
	old := &appsv1.Deployment{
		ObjectMeta: inMeshNamespace(name, names.Controller),
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "old", Image: "old/osm-controller:v1.2.4"}}},
			},
		},
	}
	create(t, old)
	mesh := newMesh(t, name, nil)
	c := waitCondition(t, mesh, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNamespaceClaimed)
	assertContains(t, c.Message, meshNamespace(name)+"/"+names.Controller, "was not made for this Mesh")
	get(t, old)
	if image := old.Spec.Template.Spec.Containers[0].Image; image != "old/osm-controller:v1.2.4" {
		t.Errorf("the unmanaged Deployment now runs %s", image)
	}
}

func TestOperatorNamespaceIsRejected(t *testing.T) {
	t.Parallel()
	mesh := newMesh(t, "squatter", func(spec *v1alpha1.MeshSpec) { spec.Namespace = ptr.To("osm-operator-system") })
	c := waitCondition(t, mesh, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidSpec)
	assertContains(t, c.Message, "osm-operator-system", "where the operator runs")
}
