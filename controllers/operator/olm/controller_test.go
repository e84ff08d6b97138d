package olm_test

import (
	"strings"
	"testing"
	"time"

	operators "github.com/operator-framework/api/pkg/operators/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/olm"
)

// TestOperatorIsNotUpgradedWithinAnUpgradeOfAMesh follows a mesh. A condition that somebody else wrote stays.
func TestOperatorIsNotUpgradedWithinAnUpgradeOfAMesh(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, operators.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	key := client.ObjectKey{Namespace: "operators", Name: "osm-operator.v0.5.0"}
	condition := &operators.OperatorCondition{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	condition.Spec.Conditions = []metav1.Condition{{Type: "Other", Status: metav1.ConditionTrue, Reason: "Other"}}
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(condition, mesh).WithStatusSubresource(mesh).Build()
	r := &olm.Reconciler{Meshes: c, Conditions: c, Condition: key, Now: time.Now}
	paused := metav1.Condition{Type: v1alpha1.ConditionPaused, Status: metav1.ConditionTrue, Reason: "Paused"}
	for _, step := range []struct {
		name   string
		status v1alpha1.MeshStatus
		want   metav1.ConditionStatus
	}{
		{"no upgrade", v1alpha1.MeshStatus{}, metav1.ConditionTrue},
		{"an installation", v1alpha1.MeshStatus{Upgrade: &v1alpha1.UpgradeStatus{To: "v0.4.0", Phase: v1alpha1.UpgradeControlPlane}}, metav1.ConditionTrue},
		{"an upgrade", v1alpha1.MeshStatus{Upgrade: &v1alpha1.UpgradeStatus{From: "v0.4.0", To: "v0.5.0", Phase: v1alpha1.UpgradeWorkloads}}, metav1.ConditionFalse},
		{"a paused upgrade", v1alpha1.MeshStatus{
			Upgrade: &v1alpha1.UpgradeStatus{From: "v0.4.0", To: "v0.5.0", Phase: v1alpha1.UpgradeWorkloads}, Conditions: []metav1.Condition{paused},
		}, metav1.ConditionTrue},
		{"after a rollback", v1alpha1.MeshStatus{Upgrade: &v1alpha1.UpgradeStatus{From: "v0.4.0", To: "v0.5.0", Phase: v1alpha1.UpgradeRolledBack}}, metav1.ConditionTrue},
	} {
		mesh.Status = step.status
		if err := c.Status().Update(t.Context(), mesh); err != nil {
			t.Fatal(err)
		}
		var versions []string
		for range 2 {
			if _, err := r.Reconcile(t.Context(), reconcile.Request{}); err != nil {
				t.Fatal(err)
			}
			if err := c.Get(t.Context(), key, condition); err != nil {
				t.Fatal(err)
			}
			versions = append(versions, condition.ResourceVersion)
		}
		got := meta.FindStatusCondition(condition.Spec.Conditions, operators.Upgradeable)
		if got == nil || got.Status != step.want || len(condition.Spec.Conditions) != 2 {
			t.Errorf("%s: the conditions are %+v, want Upgradeable %s and the other one", step.name, condition.Spec.Conditions, step.want)
		} else if step.want == metav1.ConditionFalse && !strings.Contains(got.Message, "Mesh osm is upgraded from v0.4.0 to v0.5.0") {
			t.Errorf("%s: the message is %q", step.name, got.Message)
		}
		if versions[0] != versions[1] {
			t.Errorf("%s: it is written without a change", step.name)
		}
	}
}
