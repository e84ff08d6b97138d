package operator_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// series returns the values of all series of a mesh, by name and labels without the mesh.
func series(t *testing.T, mesh string) map[string]float64 {
	t.Helper()
	families, err := cluster.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var labels []string
			about := false
			for _, label := range metric.GetLabel() {
				if label.GetName() == "mesh" {
					about = label.GetValue() == mesh
					continue
				}
				labels = append(labels, label.GetValue())
			}
			if about {
				all[strings.TrimPrefix(family.GetName(), "osm_operator_")+" "+strings.Join(labels, " ")] =
					metric.GetGauge().GetValue() + metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
			}
		}
	}
	return all
}

// waitSeries waits until series have some values.
func waitSeries(t *testing.T, mesh string, want map[string]float64) {
	t.Helper()
	eventually(t, func() error {
		got := series(t, mesh)
		for name, value := range want {
			if have, ok := got[name]; !ok || have != value {
				return fmt.Errorf("%q is %v (found: %v), want %v, in %v", name, have, ok, value, slices.Sorted(maps.Keys(got)))
			}
		}
		return nil
	})
}

// awaitPhaseEvent waits for the Event for the start of a phase.
func awaitPhaseEvent(t *testing.T, mesh, phase string) {
	t.Helper()
	eventually(t, func() error {
		var list eventsv1.EventList
		if err := cluster.client.List(t.Context(), &list); err != nil {
			return err
		}
		if !slices.ContainsFunc(list.Items, func(e eventsv1.Event) bool {
			return e.Regarding.Name == mesh && e.Reason == "PhaseBegun" && strings.HasPrefix(e.Note, phase+": ")
		}) {
			return fmt.Errorf("there is no Event for the start of phase %[2]s of Mesh %[1]s", mesh, phase)
		}
		return nil
	})
}

// Each phase of an upgrade and a rollback has an Event and metrics. The series of a deleted mesh are removed.
func TestPhasesHaveEventsAndMetrics(t *testing.T) {
	t.Parallel()
	const name = "followed"
	mesh := readyMesh(t, name, fastUpgrades)
	s := newWorkloads(t, name, "cart", "search")
	s.wait("followed-v0-0-9", 2)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	s.wait("followed-v0-1-0", 2)
	waitReady(t, mesh)
	waitSeries(t, name, map[string]float64{
		"upgrades_total Succeeded": 2, "workload_restarts_total ": 2, "mesh_ready ": 1, "proxies followed-v0-1-0": 2, "proxies_outdated ": 0,
		"gate_state ReplicasReady passed": 1, "history_entries Succeeded": 2, "mesh_phase_seconds Workloads": 1,
	})
	if _, idle := series(t, name)["mesh_phase_start_timestamp_seconds Idle"]; !idle {
		t.Errorf("an idle mesh is in another phase: %v", series(t, name))
	}

	unhealthy := healthy()
	unhealthy.Restarts = []health.PodRestarts{{UID: "controller", Created: time.Now().Add(time.Hour), Count: 9}}
	cluster.health.set(meshNamespace(name), olderVersion, unhealthy)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(olderVersion) })
	waitHistory(t, mesh, v1alpha1.ResultRolledBack, operatorVersion, olderVersion)
	waitSeries(t, name, map[string]float64{"upgrades_total RolledBack": 1, "rollbacks_total ": 1, "history_entries RolledBack": 1, "mesh_ready ": 0})
	for _, phase := range []rollout.Phase{rollout.Installing, rollout.ControlPlane, rollout.Workloads, rollout.RollingBack, rollout.RolledBack} {
		awaitPhaseEvent(t, name, string(phase))
	}

	for _, deployment := range []string{"cart", "search"} {
		if err := cluster.client.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(s.namespace),
			client.MatchingLabels{"app": deployment}, client.GracePeriodSeconds(0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := cluster.client.Delete(t.Context(), mesh); err != nil {
		t.Fatal(err)
	}
	awaitPhaseEvent(t, name, string(v1alpha1.RemovalDeleting))
	waitGone(t, mesh)
	eventually(t, func() error {
		if left := series(t, name); len(left) > 0 {
			return fmt.Errorf("the deleted mesh still has series: %v", left)
		}
		return nil
	})
}
