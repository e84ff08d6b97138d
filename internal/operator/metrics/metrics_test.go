package metrics

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// upgrading returns a mesh in a phase that began at noon.
func upgrading(phase v1alpha1.UpgradePhase) *v1alpha1.Mesh {
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
	mesh.Status = v1alpha1.MeshStatus{
		Version: "v0.2.0", Namespace: "osm-system",
		Upgrade:    &v1alpha1.UpgradeStatus{To: "v0.2.0", Phase: phase, StartTime: metav1.NewTime(noon)},
		History:    []v1alpha1.HistoryEntry{{Version: "v0.1.0", Result: v1alpha1.ResultSucceeded}},
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}},
		Certificates: &v1alpha1.CertificatesStatus{
			Issuer:   v1alpha1.CertificateSummary{NotAfter: metav1.NewTime(noon)},
			Roots:    []v1alpha1.CertificateSummary{{NotAfter: metav1.NewTime(noon.Add(2 * time.Second))}, {NotAfter: metav1.NewTime(noon.Add(time.Second))}},
			Webhooks: []v1alpha1.WebhookCertificate{{Secret: "osm-injector-webhook-cert", NotAfter: metav1.NewTime(noon.Add(3 * time.Second))}},
			Blockers: []string{"the sidecar of shop/web has not acknowledged the new root"},
		},
		Components: []v1alpha1.ComponentStatus{{Name: "ingress-gateway"}, {Name: "jaeger", Ready: true}},
		Proxies: &v1alpha1.ProxyCounts{Total: 5, Ready: 4, Outdated: 3, ByRevision: []v1alpha1.RevisionProxies{
			{Revision: "osm-v0-1-0", Total: 3}, {Revision: "osm-v0-2-0", Total: 2},
		}},
	}
	return mesh
}

func TestCollectorExportsStatuses(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	cluster := fake.NewClientBuilder().WithScheme(scheme).WithObjects(upgrading("Workloads")).Build()
	elected := make(chan struct{})
	c := NewCollector(cluster, elected)
	if n := testutil.CollectAndCount(c); n != 0 {
		t.Errorf("a replica that is not elected exports %d series", n)
	}
	close(elected)
	want := `
# HELP osm_operator_certificate_expiration_timestamp_seconds Expiry of a certificate of a mesh, in seconds since 1970: root, issuer, or the Secret of a webhook.
# TYPE osm_operator_certificate_expiration_timestamp_seconds gauge
osm_operator_certificate_expiration_timestamp_seconds{certificate="issuer",mesh="osm"} 1.795176e+09
osm_operator_certificate_expiration_timestamp_seconds{certificate="osm-injector-webhook-cert",mesh="osm"} 1.795176003e+09
osm_operator_certificate_expiration_timestamp_seconds{certificate="root",mesh="osm"} 1.795176001e+09
# HELP osm_operator_component_ready 1 while a component of a mesh is ready, 0 otherwise.
# TYPE osm_operator_component_ready gauge
osm_operator_component_ready{component="ingress-gateway",mesh="osm"} 0
osm_operator_component_ready{component="jaeger",mesh="osm"} 1
# HELP osm_operator_history_entries Upgrades in the status of a mesh, at most ten, by result.
# TYPE osm_operator_history_entries gauge
osm_operator_history_entries{mesh="osm",result="RolledBack"} 0
osm_operator_history_entries{mesh="osm",result="Succeeded"} 1
# HELP osm_operator_mesh_info 1, with the desired version and the namespace of a mesh.
# TYPE osm_operator_mesh_info gauge
osm_operator_mesh_info{mesh="osm",namespace="osm-system",version="v0.2.0"} 1
# HELP osm_operator_mesh_phase_start_timestamp_seconds Start of the current phase of a mesh, in seconds since 1970. A mesh has one phase.
# TYPE osm_operator_mesh_phase_start_timestamp_seconds gauge
osm_operator_mesh_phase_start_timestamp_seconds{mesh="osm",phase="Workloads"} 1.795176e+09
# HELP osm_operator_mesh_ready 1 while the condition Ready is True, 0 otherwise.
# TYPE osm_operator_mesh_ready gauge
osm_operator_mesh_ready{mesh="osm"} 1
# HELP osm_operator_proxies Sidecars of a mesh by the revision that injected them.
# TYPE osm_operator_proxies gauge
osm_operator_proxies{mesh="osm",revision="osm-v0-1-0"} 3
osm_operator_proxies{mesh="osm",revision="osm-v0-2-0"} 2
# HELP osm_operator_proxies_outdated Sidecars of a mesh of another revision than the desired one.
# TYPE osm_operator_proxies_outdated gauge
osm_operator_proxies_outdated{mesh="osm"} 3
# HELP osm_operator_rotation_blockers What a rotation of the certificate authority of a mesh waits for, at most 100; 0 without a rotation.
# TYPE osm_operator_rotation_blockers gauge
osm_operator_rotation_blockers{mesh="osm"} 1
`
	names := []string{
		"osm_operator_history_entries", "osm_operator_mesh_info", "osm_operator_mesh_phase_start_timestamp_seconds", "osm_operator_mesh_ready",
		"osm_operator_proxies", "osm_operator_proxies_outdated", "osm_operator_certificate_expiration_timestamp_seconds", "osm_operator_rotation_blockers",
		"osm_operator_component_ready",
	}
	if err := testutil.CollectAndCompare(c, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.CollectAndLint(c); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	if err := cluster.Delete(t.Context(), upgrading("")); err != nil {
		t.Fatal(err)
	}
	if n := testutil.CollectAndCount(c); n != 1 {
		t.Errorf("%d series of a deleted mesh are exported", n-1)
	}
}

func TestRecorderCountsAndDeletes(t *testing.T) {
	registry := prometheus.NewRegistry()
	r, err := NewRecorder(registry)
	if err != nil {
		t.Fatal(err)
	}
	r.RecordGates("osm", []rollout.Verdict{{Gate: "ReplicasReady", State: rollout.Passed}, {Gate: "Soaked", State: rollout.Waiting}})
	r.RecordGates("osm", []rollout.Verdict{{Gate: "ReplicasReady", State: rollout.Failed}})
	r.RecordWave("osm", rollout.Wave{
		Restart: make([]rollout.Ref, 1), InProgress: make([]rollout.Ref, 2), Waiting: make([]rollout.Note, 4), Blocked: make([]rollout.Note, 5),
		Upgrading: make([]rollout.Note, 6), Manual: make([]rollout.Note, 7), TakeBacks: make([]rollout.PodPatch, 8),
	})
	r.RecordReconciliation("osm", noon)
	r.RecordRestart("osm")
	r.RecordSlotChange("osm")
	r.RecordSlotChange("osm")
	r.RecordRepair("osm", "Service")
	r.RecordRepair("osm", "Service")
	rollingBack := upgrading("RollingBack")
	r.RecordStatus(upgrading("Workloads"), rollingBack, noon.Add(time.Minute))
	r.RecordStatus(rollingBack, rollingBack, noon.Add(2*time.Minute))
	rolledBack := upgrading("RolledBack")
	rolledBack.Status.History = append([]v1alpha1.HistoryEntry{{Version: "v0.2.0", Result: v1alpha1.ResultRolledBack}}, rolledBack.Status.History...)
	r.RecordStatus(rollingBack, rolledBack, noon.Add(3*time.Minute))
	want := `
# HELP osm_operator_drift_repairs_total Objects whose changes or deletion outside the operator were reverted.
# TYPE osm_operator_drift_repairs_total counter
osm_operator_drift_repairs_total{kind="Service",mesh="osm"} 2
# HELP osm_operator_gate_state 1 for the current state of a gate, 0 for its other states.
# TYPE osm_operator_gate_state gauge
osm_operator_gate_state{gate="ReplicasReady",mesh="osm",state="failed"} 1
osm_operator_gate_state{gate="ReplicasReady",mesh="osm",state="passed"} 0
osm_operator_gate_state{gate="ReplicasReady",mesh="osm",state="waiting"} 0
# HELP osm_operator_last_reconciliation_timestamp_seconds End of the last reconciliation of a mesh without an error, in seconds since 1970.
# TYPE osm_operator_last_reconciliation_timestamp_seconds gauge
osm_operator_last_reconciliation_timestamp_seconds{mesh="osm"} 1.795176e+09
# HELP osm_operator_rollbacks_total Rollbacks started.
# TYPE osm_operator_rollbacks_total counter
osm_operator_rollbacks_total{mesh="osm"} 1
# HELP osm_operator_slot_changes_total Images of slots changed by the operator, to upgrade sidecars in place.
# TYPE osm_operator_slot_changes_total counter
osm_operator_slot_changes_total{mesh="osm"} 2
# HELP osm_operator_slots_failing Slots of sidecars that do not start, so that their pods are not ready although the other slot serves.
# TYPE osm_operator_slots_failing gauge
osm_operator_slots_failing{mesh="osm"} 8
# HELP osm_operator_upgrades_total Completed upgrades, including installations, by result.
# TYPE osm_operator_upgrades_total counter
osm_operator_upgrades_total{mesh="osm",result="RolledBack"} 1
# HELP osm_operator_workloads_outdated Workloads with outdated sidecars, by what is done about them.
# TYPE osm_operator_workloads_outdated gauge
osm_operator_workloads_outdated{mesh="osm",state="blocked"} 5
osm_operator_workloads_outdated{mesh="osm",state="restarting"} 3
osm_operator_workloads_outdated{mesh="osm",state="skipped"} 7
osm_operator_workloads_outdated{mesh="osm",state="upgrading"} 6
osm_operator_workloads_outdated{mesh="osm",state="waiting"} 4
# HELP osm_operator_workload_restarts_total Workloads restarted by the operator, to replace or remove their sidecars.
# TYPE osm_operator_workload_restarts_total counter
osm_operator_workload_restarts_total{mesh="osm"} 1
`
	err = testutil.GatherAndCompare(registry, strings.NewReader(want), "osm_operator_gate_state", "osm_operator_rollbacks_total",
		"osm_operator_upgrades_total", "osm_operator_workload_restarts_total", "osm_operator_slot_changes_total", "osm_operator_drift_repairs_total",
		"osm_operator_workloads_outdated", "osm_operator_slots_failing", "osm_operator_last_reconciliation_timestamp_seconds")
	if err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(r.durations); n != 2 {
		t.Errorf("%d phases have durations, want Workloads and RollingBack", n)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	r.DeleteMesh("osm")
	if n, err := testutil.GatherAndCount(registry); err != nil || n != 0 {
		t.Errorf("%d series of a deleted mesh remain (%v)", n, err)
	}
	// A dry run has no Recorder.
	var disabled *Recorder
	disabled.RecordGates("osm", nil)
	disabled.RecordWave("osm", rollout.Wave{})
	disabled.RecordReconciliation("osm", noon)
	disabled.RecordRestart("osm")
	disabled.RecordSlotChange("osm")
	disabled.RecordRepair("osm", "Service")
	disabled.RecordStatus(rollingBack, rolledBack, noon)
	disabled.DeleteMesh("osm")
}

func TestPhaseOf(t *testing.T) {
	paused := upgrading("Workloads")
	paused.Status.Conditions = append(paused.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionPaused, LastTransitionTime: metav1.NewTime(noon)})
	deleted := upgrading("Workloads")
	deleted.Status.Removal = &v1alpha1.RemovalStatus{Phase: v1alpha1.RemovalRestarting, StartTime: metav1.NewTime(noon)}
	planned := upgrading("Workloads")
	planned.Status.Conditions = append(planned.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionPlanned, LastTransitionTime: metav1.NewTime(noon)})
	idle := upgrading("")
	idle.Status.Upgrade, idle.Status.History[0].CompletionTime = nil, metav1.NewTime(noon)
	for want, mesh := range map[v1alpha1.MeshPhase]*v1alpha1.Mesh{
		"Paused": paused, "Restarting": deleted, "Workloads": upgrading("Workloads"), "Idle": idle, "Planned": planned,
	} {
		if phase, since := PhaseOf(mesh); phase != want || !since.Equal(noon) {
			t.Errorf("phase %q since %s, want %s", phase, since, want)
		}
	}
	if phase, _ := PhaseOf(&v1alpha1.Mesh{}); phase != "" {
		t.Errorf("a mesh without status has phase %q", phase)
	}
}
