package metrics

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// Recorder counts events. A nil Recorder, as in a dry run, counts nothing.
type Recorder struct {
	gates     *prometheus.GaugeVec
	workloads *prometheus.GaugeVec
	failing   *prometheus.GaugeVec
	observed  *prometheus.GaugeVec
	durations *prometheus.HistogramVec
	restarts  *prometheus.CounterVec
	slots     *prometheus.CounterVec
	rollbacks *prometheus.CounterVec
	upgrades  *prometheus.CounterVec
	repairs   *prometheus.CounterVec
}

// NewRecorder registers the metrics of a Recorder.
func NewRecorder(registry prometheus.Registerer) (*Recorder, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"mesh"}, labels...))
	}
	r := &Recorder{
		gates: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "osm_operator_gate_state", Help: "1 for the current state of a gate, 0 for its other states.",
		}, []string{"mesh", "gate", "state"}),
		workloads: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "osm_operator_workloads_outdated", Help: "Workloads with outdated sidecars, by what is done about them.",
		}, []string{"mesh", "state"}),
		failing: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "osm_operator_slots_failing", Help: "Slots of sidecars that do not start, so that their pods are not ready although the other slot serves.",
		}, []string{"mesh"}),
		observed: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "osm_operator_last_reconciliation_timestamp_seconds", Help: "End of the last reconciliation of a mesh without an error, in seconds since 1970.",
		}, []string{"mesh"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "osm_operator_mesh_phase_seconds", Help: "Duration of completed phases, in seconds.",
			Buckets: []float64{1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600},
		}, []string{"mesh", "phase"}),
		restarts:  counter("osm_operator_workload_restarts_total", "Workloads restarted by the operator, to replace or remove their sidecars."),
		slots:     counter("osm_operator_slot_changes_total", "Images of slots changed by the operator, to upgrade sidecars in place."),
		rollbacks: counter("osm_operator_rollbacks_total", "Rollbacks started."),
		upgrades:  counter("osm_operator_upgrades_total", "Completed upgrades, including installations, by result.", "result"),
		repairs:   counter("osm_operator_drift_repairs_total", "Objects whose changes or deletion outside the operator were reverted.", "kind"),
	}
	for _, metric := range []prometheus.Collector{
		r.gates, r.workloads, r.failing, r.observed, r.durations, r.restarts, r.slots, r.rollbacks, r.upgrades, r.repairs,
	} {
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

// RecordWave sets how many workloads have outdated sidecars, by what is done about them, and how many slots do not start.
func (r *Recorder) RecordWave(mesh string, wave rollout.Wave) {
	if r == nil {
		return
	}
	for state, n := range map[string]int{
		"restarting": len(wave.Restart) + len(wave.InProgress), "upgrading": len(wave.Upgrading), "waiting": len(wave.Waiting),
		"blocked": len(wave.Blocked), "skipped": len(wave.Manual),
	} {
		r.workloads.WithLabelValues(mesh, state).Set(float64(n))
	}
	r.failing.WithLabelValues(mesh).Set(float64(len(wave.TakeBacks)))
}

// RecordReconciliation notes that a mesh was reconciled.
func (r *Recorder) RecordReconciliation(mesh string, now time.Time) {
	if r != nil {
		r.observed.WithLabelValues(mesh).Set(float64(now.Unix()))
	}
}

// RecordRestart counts the restart of a workload.
func (r *Recorder) RecordRestart(mesh string) {
	if r != nil {
		r.restarts.WithLabelValues(mesh).Inc()
	}
}

// RecordSlotChange counts the change of the image of a slot.
func (r *Recorder) RecordSlotChange(mesh string) {
	if r != nil {
		r.slots.WithLabelValues(mesh).Inc()
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
	for _, metric := range []*prometheus.MetricVec{
		r.gates.MetricVec, r.workloads.MetricVec, r.failing.MetricVec, r.observed.MetricVec, r.durations.MetricVec, r.restarts.MetricVec,
		r.slots.MetricVec, r.rollbacks.MetricVec, r.upgrades.MetricVec, r.repairs.MetricVec,
	} {
		metric.DeletePartialMatch(prometheus.Labels{"mesh": mesh})
	}
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

// collector reads the Meshes at each scrape, so it never exports metrics of a deleted one.
type collector struct {
	meshes client.Reader
	// elected is closed when this replica becomes the leader. Before that, another replica exports the metrics.
	elected <-chan struct{}

	info, ready, since, proxies, proxiesReady, outdated, history, expiry, blockers, components, failed *prometheus.Desc
}

// NewCollector returns a collector of the statuses of Meshes. It collects nothing before elected is closed. meshes reads from a cache.
func NewCollector(meshes client.Reader, elected <-chan struct{}) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("osm_operator_"+name, help, append([]string{"mesh"}, labels...), nil)
	}
	return &collector{
		meshes: meshes, elected: elected,
		info:         desc("mesh_info", "1, with the desired version and the namespace of a mesh.", "version", "namespace"),
		ready:        desc("mesh_ready", "1 while the condition Ready is True, 0 otherwise."),
		since:        desc("mesh_phase_start_timestamp_seconds", "Start of the current phase of a mesh, in seconds since 1970. A mesh has one phase.", "phase"),
		proxies:      desc("proxies", "Sidecars of a mesh by the revision that injected them.", "revision"),
		proxiesReady: desc("proxies_ready", "Sidecars of a mesh in workloads without a rollout in progress."),
		outdated:     desc("proxies_outdated", "Sidecars of a mesh of another revision than the desired one."),
		history:      desc("history_entries", "Upgrades in the status of a mesh, at most ten, by result.", "result"),
		expiry:       desc("certificate_expiration_timestamp_seconds", "Expiry of a certificate of a mesh, in seconds since 1970: root, issuer, or the Secret of a webhook.", "certificate"),
		blockers:     desc("rotation_blockers", "What a rotation of the certificate authority of a mesh waits for, at most 100; 0 without a rotation."),
		components:   desc("component_ready", "1 while a component of a mesh is ready, 0 otherwise.", "component"),
		failed:       prometheus.NewDesc("osm_operator_collect_failed", "1 if the Meshes could not be read for this scrape, 0 otherwise.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		c.info, c.ready, c.since, c.proxies, c.proxiesReady, c.outdated, c.history, c.expiry,
		c.blockers, c.components, c.failed,
	} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	select {
	case <-c.elected:
	default:
		return
	}
	var list v1alpha1.MeshList
	failed := 0.0
	if err := c.meshes.List(context.Background(), &list); err != nil {
		failed = 1
	}
	out <- gauge(c.failed, failed)
	for i := range list.Items {
		c.collect(out, &list.Items[i])
	}
}

// collect exports the metrics of one mesh.
func (c *collector) collect(out chan<- prometheus.Metric, mesh *v1alpha1.Mesh) {
	status, name := mesh.Status, mesh.Name
	out <- gauge(c.info, 1, name, status.Version, status.Namespace)
	ready := 0.0
	if meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) {
		ready = 1
	}
	out <- gauge(c.ready, ready, name)
	if phase, since := PhaseOf(mesh); phase != "" {
		out <- gauge(c.since, float64(since.Unix()), name, string(phase))
	}
	if p := status.Proxies; p != nil {
		for _, revision := range p.ByRevision {
			out <- gauge(c.proxies, float64(revision.Total), name, revision.Revision)
		}
		out <- gauge(c.proxiesReady, float64(p.Ready), name)
		out <- gauge(c.outdated, float64(p.Outdated), name)
	}
	for _, component := range status.Components {
		value := 0.0
		if component.Ready {
			value = 1
		}
		out <- gauge(c.components, value, name, component.Name)
	}
	c.collectCertificates(out, name, status.Certificates)
	results := map[v1alpha1.UpgradeResult]int{v1alpha1.ResultSucceeded: 0, v1alpha1.ResultRolledBack: 0}
	for _, entry := range status.History {
		results[entry.Result]++
	}
	for result, n := range results {
		out <- gauge(c.history, float64(n), name, string(result))
	}
}

func gauge(desc *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}

// collectCertificates exports when the certificates of a mesh expire. Of several roots it is the first.
func (c *collector) collectCertificates(out chan<- prometheus.Metric, mesh string, certificates *v1alpha1.CertificatesStatus) {
	if certificates == nil {
		return
	}
	out <- gauge(c.blockers, float64(len(certificates.Blockers)), mesh)
	out <- gauge(c.expiry, float64(certificates.Issuer.NotAfter.Unix()), mesh, "issuer")
	if len(certificates.Roots) > 0 {
		first := slices.MinFunc(certificates.Roots, func(a, b v1alpha1.CertificateSummary) int { return a.NotAfter.Compare(b.NotAfter.Time) })
		out <- gauge(c.expiry, float64(first.NotAfter.Unix()), mesh, "root")
	}
	for _, webhook := range certificates.Webhooks {
		out <- gauge(c.expiry, float64(webhook.NotAfter.Unix()), mesh, webhook.Secret)
	}
}
