package page_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/cli/page"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// TestChangesOfReplicasAreOne has a policy that two replicas send to their sidecars, a later change of it, endpoints, and settings.
func TestChangesOfReplicasAreOne(t *testing.T) {
	change := func(ago time.Duration, kind, name string, sidecars int, took float64) report.Change {
		return report.Change{At: now.Add(-ago), Objects: []report.ChangedObject{{Kind: kind, Namespace: "shop", Name: name}}, Sidecars: sidecars, Acknowledged: sidecars, Took: &took}
	}
	settings := report.Change{At: now.Add(-time.Hour), Objects: []report.ChangedObject{{Kind: "Service", Namespace: "shop", Name: "web"}, {Kind: "Settings"}}}
	r := shop(t, nil)
	r.Changes = func(context.Context) ([]report.Changes, error) {
		return []report.Changes{
			{Changes: []report.Change{change(time.Second, "TrafficTarget", "web", 3, 0.1), change(time.Minute, "TrafficTarget", "web", 2, 0.2)}},
			{Changes: []report.Change{change(1100*time.Millisecond, "TrafficTarget", "web", 1, 0.4), change(2*time.Minute, "EndpointSlice", "web-1", 4, 0.1), settings}},
		}, nil
	}
	seconds := func(v float64) *float64 { return &v }
	if diff := cmp.Diff([]page.Change{
		{At: now.Add(-time.Second), Objects: []string{"TrafficTarget shop/web"}, Policy: true, Sidecars: 4, Acknowledged: 4, Seconds: seconds(0.4)},
		{At: now.Add(-time.Minute), Objects: []string{"TrafficTarget shop/web"}, Policy: true, Sidecars: 2, Acknowledged: 2, Seconds: seconds(0.2)},
		{At: now.Add(-2 * time.Minute), Objects: []string{"EndpointSlice shop/web-1"}, Sidecars: 4, Acknowledged: 4, Seconds: seconds(0.1)},
		{At: now.Add(-time.Hour), Objects: []string{"MeshConfig", "Service shop/web"}, Policy: true},
	}, read(t, r).Changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}
