package operator_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestBridge declares a bridge for sidecars of Open Service Mesh, removes it and declares it again: the controller gets its end, which stays the same.
func TestBridge(t *testing.T) {
	t.Parallel()
	const name = "bridged"
	mesh := readyMesh(t, name, nil)
	waitFlag := func(want string) {
		t.Helper()
		waitFor(t, &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)}, func(d *appsv1.Deployment) error {
			args := d.Spec.Template.Spec.Containers[0].Args
			if i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "--bridge-until=") }); i < 0 || args[i] != "--bridge-until="+want {
				return fmt.Errorf("the controller has the arguments %v, want the end %q", args, want)
			}
			return nil
		})
	}
	declare := func(bridge *v1alpha1.BridgeSpec) {
		change(t, mesh, func(m *v1alpha1.Mesh) {
			m.Spec.Adoption = nil
			if bridge != nil {
				m.Spec.Adoption = &v1alpha1.AdoptionSpec{Bridge: bridge}
			}
		})
	}
	waitFlag("")

	declare(&v1alpha1.BridgeSpec{})
	waitCondition(t, mesh, v1alpha1.ConditionServingOSMSidecars, metav1.ConditionTrue, v1alpha1.ReasonBridgeUnused)
	get(t, mesh)
	opened := mesh.Status.Bridge.OpenedTime
	if closes := mesh.Status.Bridge.ClosesTime.Sub(opened.Time); closes != v1alpha1.DefaultBridgeDuration {
		t.Errorf("the bridge is open for %s, want %s", closes, v1alpha1.DefaultBridgeDuration)
	}
	waitFlag(mesh.Status.Bridge.ClosesTime.UTC().Format(time.RFC3339))

	declare(nil)
	waitFlag("")
	waitFor(t, mesh, func(m *v1alpha1.Mesh) error {
		if meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionServingOSMSidecars) != nil {
			return errors.New("the condition remains without a bridge")
		}
		return nil
	})

	declare(&v1alpha1.BridgeSpec{Duration: ptr.To(v1alpha1.Duration("100h"))})
	waitFlag(opened.Add(100 * time.Hour).UTC().Format(time.RFC3339))
	waitReady(t, mesh)
}
