package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// Recorder counts what happens. A nil Recorder counts nothing: who only rehearses has none.
type Recorder struct {
	gates     *prometheus.GaugeVec
	durations *prometheus.HistogramVec
	restarts  *prometheus.CounterVec
	rollbacks *prometheus.CounterVec
	upgrades  *prometheus.CounterVec
}

// NewRecorder registers the metrics of a Recorder.
func NewRecorder(registry prometheus.Registerer) (*Recorder, error) {
	r := &Recorder{
		gates: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "osm_operator_gate_state", Help: "1 for the state that a gate is in, 0 for its others, when the mesh was looked at last.",
		}, []string{"mesh", "gate", "state"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "osm_operator_mesh_phase_seconds", Help: "How long phases lasted that have ended, in seconds.",
			Buckets: []float64{1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600},
		}, []string{"mesh", "phase"}),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_operator_workload_restarts_total", Help: "Workloads that the operator has restarted for another sidecar, or for none.",
		}, []string{"mesh"}),
		rollbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_operator_rollbacks_total", Help: "Ways back to the last good version that have begun.",
		}, []string{"mesh"}),
		upgrades: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_operator_upgrades_total", Help: "Upgrades that have ended, installations among them, by how.",
		}, []string{"mesh", "result"}),
	}
	for _, metric := range []prometheus.Collector{r.gates, r.durations, r.restarts, r.rollbacks, r.upgrades} {
		if err := registry.Register(metric); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// gateStates are the names of a gate's states.
var gateStates = map[rollout.State]string{rollout.Passed: "passed", rollout.Waiting: "waiting", rollout.Failed: "failed"}

// Judged notes what the gates say now; gates that are not asked any more are forgotten.
func (r *Recorder) Judged(mesh string, verdicts []rollout.Verdict) {
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

// Restarted counts a workload.
func (r *Recorder) Restarted(mesh string) {
	if r != nil {
		r.restarts.WithLabelValues(mesh).Inc()
	}
}

// Written counts what a new status of a mesh, written now, says beside the one before: that a phase, or an upgrade, has ended.
func (r *Recorder) Written(before, after *v1alpha1.Mesh, now time.Time) {
	if r == nil {
		return
	}
	was, since := PhaseOf(before)
	is, _ := PhaseOf(after)
	if was != "" && was != is {
		r.durations.WithLabelValues(after.Name, was).Observe(now.Sub(since).Seconds())
	}
	if is == string(rollout.RollingBack) && was != is {
		r.rollbacks.WithLabelValues(after.Name).Inc()
	}
	for _, entry := range after.Status.History {
		if len(before.Status.History) > 0 && before.Status.History[0] == entry {
			break
		}
		r.upgrades.WithLabelValues(after.Name, entry.Result).Inc()
	}
}

// Forget removes everything about a mesh that is gone.
func (r *Recorder) Forget(mesh string) {
	if r == nil {
		return
	}
	labels := prometheus.Labels{"mesh": mesh}
	r.gates.DeletePartialMatch(labels)
	r.durations.DeletePartialMatch(labels)
	r.restarts.DeletePartialMatch(labels)
	r.rollbacks.DeletePartialMatch(labels)
	r.upgrades.DeletePartialMatch(labels)
}
