package upgrade

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// TestAbandonedUpgradeIsInTheHistory changes the desired version while an upgrade is in progress, as after a version that does not start.
func TestAbandonedUpgradeIsInTheHistory(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	upgrade := func(phase v1alpha1.UpgradePhase) *v1alpha1.UpgradeStatus {
		return &v1alpha1.UpgradeStatus{From: "v0.4.0", To: "v0.5.0", Phase: phase, StartTime: metav1.NewTime(now.Add(-time.Hour)), Message: "ReplicasReady: 0 of 3."}
	}
	status := &v1alpha1.MeshStatus{Upgrade: upgrade(v1alpha1.UpgradeControlPlane), History: []v1alpha1.HistoryEntry{{Version: "v0.4.0", Result: v1alpha1.ResultSucceeded}}}
	recordAbandoned(status, "v0.4.0", "osm-v0-4-0", now)
	if len(status.History) != 2 {
		t.Fatalf("the history is %+v, want the attempt and the installation", status.History)
	}
	got := status.History[0]
	if got.Version != "v0.5.0" || got.From != "v0.4.0" || got.Result != v1alpha1.ResultRolledBack || !got.CompletionTime.Time.Equal(now) || !strings.Contains(got.Reason, "ReplicasReady: 0 of 3.") {
		t.Errorf("the attempt is %+v", got)
	}
	for name, unchanged := range map[string]*v1alpha1.MeshStatus{
		"without an upgrade": {}, "in progress": {Upgrade: upgrade(v1alpha1.UpgradeControlPlane)}, "rolled back by its gates": {Upgrade: upgrade(v1alpha1.UpgradeRolledBack)},
	} {
		desired := map[bool]string{true: "v0.5.0", false: "v0.4.0"}[name == "in progress"]
		if recordAbandoned(unchanged, desired, "osm-v0-5-0", now); len(unchanged.History) > 0 {
			t.Errorf("%s: the history is %+v", name, unchanged.History)
		}
	}
}

// TestCompletedUpgradeIsNotAbandoned goes on to the next version right after an upgrade was verified.
func TestCompletedUpgradeIsNotAbandoned(t *testing.T) {
	now := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	status := &v1alpha1.MeshStatus{
		Upgrade: &v1alpha1.UpgradeStatus{From: "v0.4.0", To: "v0.5.0", Phase: v1alpha1.UpgradeControlPlane, StartTime: now},
		History: []v1alpha1.HistoryEntry{{Version: "v0.5.0", Result: v1alpha1.ResultSucceeded, CompletionTime: now}},
	}
	if recordAbandoned(status, "v0.6.0", "osm-v0-6-0", now.Time); len(status.History) != 1 {
		t.Errorf("the history is %+v", status.History)
	}
}

// TestAbandonedSidecarIsInTheHistory changes what new pods get while an upgrade to other sidecars of the same version is in progress.
func TestAbandonedSidecarIsInTheHistory(t *testing.T) {
	now := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	status := func() *v1alpha1.MeshStatus {
		return &v1alpha1.MeshStatus{
			Upgrade: &v1alpha1.UpgradeStatus{
				From: "v0.6.0", To: "v0.6.0", Revision: "osm-v0-6-0-0123abcd", Phase: v1alpha1.UpgradeWorkloads, StartTime: metav1.NewTime(now.Add(-time.Hour)),
			},
			History: []v1alpha1.HistoryEntry{{Version: "v0.6.0", Revision: "osm-v0-6-0", Result: v1alpha1.ResultSucceeded, CompletionTime: metav1.NewTime(now.Add(-2 * time.Hour))}},
		}
	}
	returned := status()
	recordAbandoned(returned, "v0.6.0", "osm-v0-6-0", now.Time)
	if len(returned.History) != 2 || returned.History[0].Revision != "osm-v0-6-0-0123abcd" || !strings.Contains(returned.History[0].Reason, "what new pods get changed") {
		t.Errorf("the history is %+v, want the attempt and the installation", returned.History)
	}
	same := status()
	if recordAbandoned(same, "v0.6.0", "osm-v0-6-0-0123abcd", now.Time); len(same.History) != 1 {
		t.Errorf("the history of an upgrade in progress is %+v", same.History)
	}
}
