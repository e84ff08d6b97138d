package status

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Changes that reach a sidecar count what they touch; others do not.
func TestChangesCountWhatTheyTouch(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := newTraceMetrics(registry)
	m.observe(&BatchTrace{streams: 1, scopes: 3, resources: 20}, time.Second)
	m.observe(&BatchTrace{scopes: 5, resources: 5}, time.Second)
	sums := map[string]float64{"osm_change_scopes": 3, "osm_change_resources": 20, "osm_change_seconds": 1}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		want, tested := sums[family.GetName()]
		if !tested {
			continue
		}
		delete(sums, family.GetName())
		if got := family.GetMetric()[0].GetHistogram(); got.GetSampleSum() != want || got.GetSampleCount() != 1 {
			t.Errorf("%s has the sum %v of %d samples, want %v of 1", family.GetName(), got.GetSampleSum(), got.GetSampleCount(), want)
		}
	}
	if len(sums) > 0 {
		t.Errorf("no metrics %v", sums)
	}
	if _, err := testutil.GatherAndLint(registry); err != nil {
		t.Error(err)
	}
}
