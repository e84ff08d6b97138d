package operator_test

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Opting in again triggers a restart without another change in the mesh.
func TestWorkloadIsRestartedAfterOptingInAgain(t *testing.T) {
	t.Parallel()
	const name = "optin"
	mesh := readyMesh(t, name, fastUpgrades)
	s := newWorkloads(t, name, "cart")
	s.wait("optin-v0-0-9", 1)
	cart := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "cart"}}
	change(t, cart, func(d *appsv1.Deployment) { d.Labels = map[string]string{names.RestartLabel: "disabled"} })
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	waitHistory(t, mesh, v1alpha1.ResultSucceeded, olderVersion, operatorVersion)
	change(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}, func(n *corev1.Namespace) { n.Labels[names.MonitoredByLabel] = name })
	waitNoWrites(t, name)
	get(t, cart)
	if at := cart.Spec.Template.Annotations[names.RestartAnnotation]; at != "" {
		t.Fatalf("the workload opted out and was restarted: %s", at)
	}
	change(t, cart, func(d *appsv1.Deployment) { delete(d.Labels, names.RestartLabel) })
	waitFor(t, cart, func(d *appsv1.Deployment) error {
		if at := d.Spec.Template.Annotations[names.RestartAnnotation]; !strings.HasPrefix(at, "optin-v0-1-0 ") {
			return fmt.Errorf("the workload was restarted for %q", at)
		}
		return nil
	})
}
