package takeover

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// TestBridgeIsOpenedOnce checks when a bridge ends: counted from its first opening, whatever the Mesh declares in between.
func TestBridgeIsOpenedOnce(t *testing.T) {
	now := time.Date(2026, 11, 27, 6, 0, 0, 0, time.UTC)
	declared := func(duration string, opened *time.Time) *v1alpha1.Mesh {
		mesh := &v1alpha1.Mesh{}
		mesh.Spec.Adoption = &v1alpha1.AdoptionSpec{Bridge: &v1alpha1.BridgeSpec{}}
		if duration != "" {
			mesh.Spec.Adoption.Bridge.Duration = ptr.To(v1alpha1.Duration(duration))
		}
		if opened != nil {
			mesh.Status.Bridge = &v1alpha1.BridgeStatus{OpenedTime: metav1.NewTime(*opened)}
		}
		return mesh
	}
	until := func(at time.Time) *v1alpha1.MeshRevision {
		revision := &v1alpha1.MeshRevision{}
		revision.Spec.BridgeUntil = ptr.To(metav1.NewTime(at))
		return revision
	}
	earlier := now.Add(-100 * time.Hour)
	for name, test := range map[string]struct {
		mesh    *v1alpha1.Mesh
		current *v1alpha1.MeshRevision
		closes  time.Time
	}{
		"default":                   {declared("", nil), nil, now.Add(72 * time.Hour)},
		"declared":                  {declared("1h", nil), nil, now.Add(time.Hour)},
		"opened":                    {declared("1h", ptr.To(now.Add(-30*time.Minute))), until(now.Add(30 * time.Minute)), now.Add(30 * time.Minute)},
		"status not written":        {declared("1h", nil), until(now.Add(30 * time.Minute)), now.Add(30 * time.Minute)},
		"declared again, closed":    {declared("72h", &earlier), nil, earlier.Add(72 * time.Hour)},
		"declared again for longer": {declared("200h", &earlier), nil, earlier.Add(200 * time.Hour)},
	} {
		if got := BridgeOf(test.mesh, test.current, now); got == nil || !got.ClosesTime.Time.Equal(test.closes) {
			t.Errorf("%s: the bridge is %+v, want its end at %s", name, got, test.closes)
		}
	}
	if got := BridgeOf(&v1alpha1.Mesh{}, until(now), now); got != nil || BridgeUntil(got) != nil {
		t.Errorf("without a declaration the bridge is %+v", got)
	}
}

func TestAssessBridge(t *testing.T) {
	now := time.Date(2026, 11, 27, 6, 0, 0, 0, time.UTC)
	var used []rollout.Workload
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		used = append(used, rollout.Workload{
			Ref: rollout.Ref{Kind: "Deployment", Namespace: "shop", Name: name}, Sidecars: map[string]int{"": 2, "osm-v0-5-0": 1},
		})
	}
	own := []rollout.Workload{{Ref: rollout.Ref{Kind: "Deployment", Namespace: "shop", Name: "new"}, Sidecars: map[string]int{"osm-v0-5-0": 3}}}
	for name, test := range map[string]struct {
		closes    time.Time
		workloads []rollout.Workload
		state     conditions.State
		reason    string
		text      string
	}{
		"open":             {now.Add(time.Hour), used, conditions.Ready, v1alpha1.ReasonBridgeOpen, "14 pods have one"},
		"unused":           {now.Add(time.Hour), own, conditions.Ready, v1alpha1.ReasonBridgeUnused, "remove spec.adoption.bridge"},
		"closed, used":     {now, used, conditions.Failing, v1alpha1.ReasonBridgeClosed, "and 2 more workloads"},
		"closed, not used": {now, own, conditions.Failing, v1alpha1.ReasonBridgeClosed, "remove spec.adoption.bridge"},
	} {
		got := assessBridge(test.closes, now, test.workloads)
		if got.State != test.state || got.Reason != test.reason || !strings.Contains(got.Message, test.text) {
			t.Errorf("%s: %+v, want %s with %q", name, got, test.reason, test.text)
		}
	}
}
