package takeover

import (
	"context"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/restart"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// workloadsOf has workloads, and records which are restarted.
type workloadsOf struct {
	fixedCalls
	list      []rollout.Workload
	err       error
	restarted []string
}

func (w *workloadsOf) WorkloadsForTeardown(context.Context, string, string) ([]rollout.Workload, error) {
	return w.list, w.err
}

func (w *workloadsOf) Restart(_ context.Context, ref rollout.Ref, revision string, _ time.Time) error {
	w.restarted = append(w.restarted, ref.Name+" for "+revision)
	return nil
}

func (w *workloadsOf) PatchSlot(context.Context, rollout.PodPatch) error { return nil }

func (w *workloadsOf) Reference(context.Context, rollout.Ref, string) *corev1.ObjectReference {
	return &corev1.ObjectReference{}
}

func (w *workloadsOf) VersionOf(context.Context, rollout.Ref) string { return "" }

// TestTeardownRestarts restarts what a removed mesh has injected: what is called goes back first, even if restarts are manual.
func TestTeardownRestarts(t *testing.T) {
	mesh := adopting(v1alpha1.AdoptionRestarting, v1alpha1.AdoptionPrepared)
	mesh.DeletionTimestamp = &metav1.Time{}
	plane := &workloadsOf{list: loads("osm-v0-1-0")}
	config := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-mesh", Name: names.MeshConfig}}
	teardown := Teardown{Reader: apiServer(t, nil, config), DataPlane: plane, Restarter: restart.New(plane, events.NewFakeRecorder(10), nil, time.Now)}
	wave, err := teardown.Restart(t.Context(), mesh, "osm-mesh", time.Now())
	if err != nil || !slices.Equal(plane.restarted, []string{"api for " + BackTarget}) || len(wave.Waiting) != 1 || wave.Waiting[0].Ref.Name != "web" {
		t.Errorf("restarted are %v, and the wave is %+v (%v)", plane.restarted, wave, err)
	}
	plane.err = errAway
	if _, err := teardown.Restart(t.Context(), mesh, "osm-mesh", time.Now()); err == nil {
		t.Error("without the workloads there is no error")
	}
	plane.err = nil
	teardown.Reader = apiServer(t, &outage{failing: 1}, config)
	if _, err := teardown.Restart(t.Context(), mesh, "osm-mesh", time.Now()); err == nil {
		t.Error("without the MeshConfig there is no error")
	}
}
