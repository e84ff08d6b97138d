package operator_test

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/vitals"
)

// A control plane that cannot be asked for a moment, long after a step has begun, does not turn the mesh round.
func TestAMomentInALongSoakIsNoFailure(t *testing.T) {
	const name = "soaking"
	timeout := 10 * time.Second
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		quick(spec)
		spec.Upgrade.Gates.Soak, spec.Upgrade.Gates.Timeout = &metav1.Duration{Duration: time.Hour}, &metav1.Duration{Duration: timeout}
	})
	s := openShop(t, name, "cart")
	s.wait("soaking-v0-0-9", 1)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	revision := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "soaking-v0-1-0"}}
	noted := func(holds func(v1alpha1.MeshRevisionStatus) bool) {
		t.Helper()
		waitFor(t, revision, func(r *v1alpha1.MeshRevision) error {
			if !holds(r.Status) {
				return fmt.Errorf("the revision is well since %v, not since %v, in its role since %v", r.Status.WellSince, r.Status.UnwellSince, r.Status.RoleSince)
			}
			return nil
		})
	}
	noted(func(status v1alpha1.MeshRevisionStatus) bool {
		return status.WellSince != nil && time.Since(status.RoleSince.Time) > timeout+time.Second
	})
	cluster.patient.becomes(home(name), operatorVersion, vitals.Reading{})
	noted(func(status v1alpha1.MeshRevisionStatus) bool { return status.UnwellSince != nil })
	cluster.patient.becomes(home(name), operatorVersion, healthy())
	noted(func(status v1alpha1.MeshRevisionStatus) bool { return status.UnwellSince == nil })
	// What does not become well again within the timeout does.
	cluster.patient.becomes(home(name), operatorVersion, vitals.Reading{})
	entry := history(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
	mention(t, entry.Reason, "ProxiesConnected", "for longer than 10s")
}
