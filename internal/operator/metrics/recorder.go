package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// Recorder counts events. A nil Recorder, as in a dry run, counts nothing.
type Recorder struct {
	gates     *prometheus.GaugeVec
	durations *prometheus.HistogramVec
	restarts  *prometheus.CounterVec
	rollbacks *prometheus.CounterVec
	upgrades  *prometheus.CounterVec
	repairs   *prometheus.CounterVec
}

// NewRecorder registers the metrics of a Recorder.
func NewRecorder(registry prometheus.Registerer) (*Recorder, error) {
	r := &Recorder{
		gates: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "osm_operator_gate_state", Help: "1 for the current state of a gate, 0 for its other states.",
		}, []string{"mesh", "gate", "state"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "osm_operator_mesh_phase_seconds", Help: "Duration of completed phases, in seconds.",
			Buckets: []float64{1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600},
		}, []string{"mesh", "phase"}),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_operator_workload_restarts_total", Help: "Workloads restarted by the operator, to replace or remove their sidecars.",
		}, []string{"mesh"}),
		rollbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_operator_rollbacks_total", Help: "Rollbacks started.",
		}, []string{"mesh"}),
		upgrades: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_operator_upgrades_total", Help: "Completed upgrades, including installations, by result.",
		}, []string{"mesh", "result"}),
		repairs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_operator_drift_repairs_total", Help: "Objects whose changes or deletion outside the operator were reverted.",
		}, []string{"mesh", "kind"}),
	}
	for _, metric := range []prometheus.Collector{r.gates, r.durations, r.restarts, r.rollbacks, r.upgrades, r.repairs} {
		if err := registry.Register(metric); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// gateStates are the label values of the states of a gate.
var gateStates = map[rollout.State]string{rollout.Passed: "passed", rollout.Waiting: "waiting", rollout.Failed: "failed"}

// RecordGates sets the states of the gates of a mesh, and removes gates that were not evaluated.
func (r *Recorder) RecordGates(mesh string, verdicts []rollout.Verdict) {
	if r == nil {
		return
	}
	r.gates.DeletePartialMatch(prometheus.Labels{"mesh": mesh})
	for _, verdict := range verdicts {
		for state, name := range gateStates {
			value := 0.0
			if verdict.State == state {
				value = 1
			}
			r.gates.WithLabelValues(mesh, verdict.Gate, name).Set(value)
		}
	}
}

// RecordRestart counts the restart of a workload.
func (r *Recorder) RecordRestart(mesh string) {
	if r != nil {
		r.restarts.WithLabelValues(mesh).Inc()
	}
}

// RecordRepair counts an object of a mesh whose drift was reverted. Objects of all meshes have no mesh.
func (r *Recorder) RecordRepair(mesh, kind string) {
	if r != nil {
		r.repairs.WithLabelValues(mesh, kind).Inc()
	}
}

// RecordStatus compares two statuses of a mesh, and counts a phase or an upgrade that was completed between them.
func (r *Recorder) RecordStatus(before, after *v1alpha1.Mesh, now time.Time) {
	if r == nil {
		return
	}
	earlier, since := PhaseOf(before)
	current, _ := PhaseOf(after)
	if earlier != "" && earlier != current {
		r.durations.WithLabelValues(after.Name, string(earlier)).Observe(now.Sub(since).Seconds())
	}
	if current == v1alpha1.PhaseRollingBack && earlier != current {
		r.rollbacks.WithLabelValues(after.Name).Inc()
	}
	for _, entry := range after.Status.History {
		if len(before.Status.History) > 0 && sameUpgrade(before.Status.History[0], entry) {
			break
		}
		r.upgrades.WithLabelValues(after.Name, string(entry.Result)).Inc()
	}
}

// sameUpgrade reports whether two entries of a history are about the same upgrade.
func sameUpgrade(a, b v1alpha1.HistoryEntry) bool {
	return a.Version == b.Version && a.CompletionTime.Equal(&b.CompletionTime)
}

// DeleteMesh removes the metrics of a deleted mesh.
func (r *Recorder) DeleteMesh(mesh string) {
	if r == nil {
		return
	}
	labels := prometheus.Labels{"mesh": mesh}
	r.gates.DeletePartialMatch(labels)
	r.durations.DeletePartialMatch(labels)
	r.restarts.DeletePartialMatch(labels)
	r.rollbacks.DeletePartialMatch(labels)
	r.upgrades.DeletePartialMatch(labels)
	r.repairs.DeletePartialMatch(labels)
}

// PhaseOf returns the phase of a Mesh and its start time, derived from the rest of the status. Both are zero for a Mesh whose status does
// not determine a phase yet.
func PhaseOf(mesh *v1alpha1.Mesh) (v1alpha1.MeshPhase, time.Time) {
	status := mesh.Status
	if paused := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionPaused); paused != nil {
		return v1alpha1.PhasePaused, paused.LastTransitionTime.Time
	}
	if status.Removal != nil {
		return v1alpha1.MeshPhase(status.Removal.Phase), status.Removal.StartTime.Time
	}
	if planned := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionPlanned); planned != nil {
		return v1alpha1.PhasePlanned, planned.LastTransitionTime.Time
	}
	if status.Upgrade != nil {
		return v1alpha1.MeshPhase(status.Upgrade.Phase), status.Upgrade.StartTime.Time
	}
	if len(status.History) > 0 {
		return v1alpha1.PhaseIdle, status.History[0].CompletionTime.Time
	}
	return "", time.Time{}
}
