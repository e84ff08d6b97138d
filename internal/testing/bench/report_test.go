package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

func sampleReport() *report {
	return &report{Results: []result{
		{Variant: "limit", shape: shape{mesh.Policy, 100}, Values: map[metric]float64{syncCPU: 1, changeCPU.of("endpoint"): 0.001, memory: 1e6}},
		{Variant: "ours", shape: shape{mesh.Policy, 100}, Values: map[metric]float64{
			syncCPU: 1.5, syncWall: 2, changeCPU.of("endpoint"): 0.002, memory: 2e6,
		}},
		{Variant: "ours", shape: shape{mesh.Policy, 300}, Values: map[metric]float64{memory: 12e6, changeCPU.of("endpoint"): 0.002}},
	}}
}

func TestTable(t *testing.T) {
	run := sampleReport()
	var text strings.Builder
	if err := run.table(&text); err != nil {
		t.Fatal(err)
	}
	want := `
### policy, 100 sidecars

| | limit | ours |
|---|---:|---:|
| first sync of all | | 2 s |
| first sync, CPU | 1 s (x1.50) | 1.50 s |
| memory | 1 MB (x2) | 2 MB |
| endpoint: CPU a change (median) | 1 ms (x2) | 2 ms |

### policy, 300 sidecars

| | limit | ours |
|---|---:|---:|
| memory | | 12 MB |
| endpoint: CPU a change (median) | | 2 ms |
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestWorse(t *testing.T) {
	ratios := sampleReport().ratios()
	sync := "policy, 100 sidecars, first sync, CPU, against limit"
	change := "policy, 100 sidecars, endpoint: CPU a change (median), against limit"
	if diff := cmp.Diff(map[string]float64{sync: 1.5, change: 2}, ratios); diff != "" {
		t.Errorf("ratios (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		baseline map[string]float64
		want     []string
	}{
		{map[string]float64{sync: 1.2, change: 4}, nil},
		{map[string]float64{sync: 1.1, change: 2}, []string{sync + ": 1.50 times as much, 1.10 in the baseline"}},
		{map[string]float64{"gone": 1}, []string{"gone: was not measured, though the baseline has it"}},
	} {
		if diff := cmp.Diff(tt.want, worse(ratios, tt.baseline)); diff != "" {
			t.Errorf("complaints (-want +got):\n%s", diff)
		}
	}
}

// TestLeast measures again with one value less, one more and one that is new.
func TestLeast(t *testing.T) {
	run, again := sampleReport(), sampleReport()
	again.Results = again.Results[:2]
	again.Results[0].Values[syncCPU] = 0.5
	again.Results[1].Values[syncCPU] = 3
	again.Results[1].Values[memory] = 1
	run.least(again)
	got := []float64{run.Results[0].Values[syncCPU], run.Results[1].Values[syncCPU], run.Results[1].Values[syncWall], run.Results[2].Values[memory]}
	if diff := cmp.Diff([]float64{0.5, 1.5, 2, 12e6}, got); diff != "" {
		t.Errorf("the least of two runs (-want +got):\n%s", diff)
	}
	if ratio := run.ratios()["policy, 100 sidecars, first sync, CPU, against limit"]; ratio != 3 {
		t.Errorf("the ratio of the least is %g, want 3", ratio)
	}
	nothing := &report{Results: []result{
		{Variant: "limit", Values: map[metric]float64{changeCPU.of("nothing"): 1}}, {Variant: "ours", Values: map[metric]float64{changeCPU.of("nothing"): 2}},
	}}
	if ratios := nothing.ratios(); len(ratios) > 0 {
		t.Errorf("changes of nothing are compared: %v", ratios)
	}
}
