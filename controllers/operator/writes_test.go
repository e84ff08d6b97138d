package operator_test

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// The operator does not write to an idle mesh, even when it is reconciled again.
func TestIdleMeshIsNotWritten(t *testing.T) {
	const name = "quiet"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		spec.Traffic = &v1alpha1.TrafficSpec{Permissive: ptr.To(true), Egress: ptr.To(false)}
		spec.Sidecar = &v1alpha1.SidecarSpec{LogLevel: ptr.To("info"), Resources: &corev1.ResourceRequirements{Requests: resources("0.1", "128Mi")}}
		own := &v1alpha1.WorkloadSpec{Resources: &corev1.ResourceRequirements{Requests: resources("0.050", "65536Ki")}}
		spec.ControlPlane = &v1alpha1.ControlPlaneSpec{Controller: own, Injector: own}
	})
	waitNoWrites(t)

	// Changes by others trigger both reconcilers.
	before := cluster.writes.count()
	for i := range 3 {
		change(t, mesh, func(m *v1alpha1.Mesh) { m.Annotations = map[string]string{"example/touched": fmt.Sprint(i)} })
		revision := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "quiet-v0-1-0"}}
		change(t, revision, func(r *v1alpha1.MeshRevision) {
			r.Annotations["example/touched"] = fmt.Sprint(i)
		})
		change(t, &corev1.Service{ObjectMeta: inMeshNamespace(name, names.Controller)}, func(s *corev1.Service) {
			s.Annotations["example/touched"] = fmt.Sprint(i)
		})
	}
	checkNoWrites(t, 3*time.Second, before)
}

// quiet is how long an idle operator writes nothing. Events are written with a delay, and on a busy machine a step follows the one before it after more than
// a second.
const quiet = 2 * time.Second

// waitNoWrites waits until the operator has written nothing about the meshes, or nothing at all, for a while.
func waitNoWrites(t *testing.T, meshes ...string) {
	t.Helper()
	last, since := cluster.writes.count(), time.Now()
	eventually(t, func() error {
		now := cluster.writes.count()
		written := cluster.writes.since(last, meshes...)
		last = now
		if len(written) > 0 {
			since = time.Now()
		}
		if time.Since(since) < quiet {
			return fmt.Errorf("the operator still writes: %v", written)
		}
		return nil
	})
}

// checkNoWrites fails if the operator writes anything about the meshes, or anything at all, within a duration.
func checkNoWrites(t *testing.T, duration time.Duration, before int, meshes ...string) {
	t.Helper()
	timer := time.NewTimer(duration)
	defer timer.Stop()
	<-timer.C
	if written := cluster.writes.since(before, meshes...); len(written) > 0 {
		t.Errorf("the operator wrote %d times to an idle mesh: %v", len(written), written)
	}
}
