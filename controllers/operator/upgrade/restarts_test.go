package upgrade

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// Nodes that are restarted during an upgrade of several days must not fail it. Restarts within one step must.
func TestRestartsCountFromTheStartOfTheStep(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	role := metav1.NewTime(noon)
	revision := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "new"}, Status: v1alpha1.MeshRevisionStatus{RoleStartTime: &role}}
	r := reconcilerAt(t, at(60), revision)
	p := &pass{current: revision}
	p.situation.Desired = "new"
	pods := func(old, young int) []health.PodRestarts {
		return []health.PodRestarts{{UID: "old", Created: at(-30), Count: old}, {UID: "young", Created: at(5), Count: young}}
	}
	restarted := func(minutes int) {
		p.situation.Workloads = []rollout.Workload{{Restart: rollout.Restart{Revision: "new", At: at(minutes)}}}
	}
	for _, step := range []struct {
		name   string
		begin  func()
		before []health.PodRestarts
		want   int
	}{
		{"restarts of a pod from before the step", func() {}, pods(3, 0), 0},
		{"restarts in the step", func() {}, pods(4, 2), 3},
		{"the next step", func() { restarted(10) }, pods(4, 2), 0},
		{"a restart in that step", func() {}, pods(4, 3), 1},
		{"the pods were replaced", func() {}, []health.PodRestarts{{UID: "other", Created: at(20), Count: 2}}, 2},
	} {
		step.begin()
		if err := r.recordRestarts(t.Context(), p, step.before); err != nil {
			t.Fatal(err)
		}
		if got := restartsInStep(p.current, step.before); got != step.want {
			t.Errorf("%s: %d restarts, want %d", step.name, got, step.want)
		}
	}
}
