package operator_test

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestOverlayOfTheControlPlane checks that an overlay reaches the Deployment, that one which does not fit is reported and changes nothing, and that
// the operator writes nothing while an overlay is in use.
func TestOverlayOfTheControlPlane(t *testing.T) {
	t.Parallel()
	const name = "overlaid"
	mesh := readyMesh(t, name, nil)
	overlay := func(text string) {
		change(t, mesh, func(m *v1alpha1.Mesh) {
			m.Spec.ControlPlane = &v1alpha1.ControlPlaneSpec{Controller: &v1alpha1.WorkloadSpec{Overlay: &runtime.RawExtension{Raw: []byte(text)}}}
		})
	}
	waitPolicy := func(want corev1.DNSPolicy) {
		t.Helper()
		waitFor(t, &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)}, func(d *appsv1.Deployment) error {
			if got := d.Spec.Template.Spec.DNSPolicy; got != want {
				return fmt.Errorf("the DNS policy is %q, want %q", got, want)
			}
			return nil
		})
	}
	overlay(`{"spec": {"dnsPolicy": "Default"}}`)
	waitPolicy(corev1.DNSDefault)
	waitReady(t, mesh)
	waitNoWrites(t, name)

	overlay(`{"spec": {"dnsPolicy": "None", "serviceAccountName": "another"}}`)
	c := waitCondition(t, mesh, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidSpec)
	assertContains(t, c.Message, "the overlay of the Deployment osm-controller cannot be applied", "spec.serviceAccountName belongs to the operator")
	waitPolicy(corev1.DNSDefault)

	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.ControlPlane = nil })
	waitPolicy(corev1.DNSClusterFirst)
	waitReady(t, mesh)
}
