package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample() *Run {
	return &Run{Results: []Result{
		{Variant: "limit", Mode: "policy", Sidecars: 100, Values: map[Metric]float64{SyncCPU: 1, Of("endpoint", ChangeCPU): 0.001, Memory: 1e6}},
		{Variant: "ours", Mode: "policy", Sidecars: 100, Values: map[Metric]float64{
			SyncCPU: 1.5, SyncWall: 2, Of("endpoint", ChangeCPU): 0.002, Memory: 2e6,
		}},
		{Variant: "ours", Mode: "policy", Sidecars: 300, Values: map[Metric]float64{Memory: 12e6, Of("endpoint", ChangeCPU): 0.002}},
	}}
}

func TestTable(t *testing.T) {
	run := sample()
	run.AddSlopes()
	var text strings.Builder
	if err := run.Table(&text, "ours"); err != nil {
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
| memory a sidecar (slope) | | 50 kB |
| endpoint: CPU a change (median) | | 2 ms |
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestWorse(t *testing.T) {
	ratios := sample().Ratios("ours")
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
		if diff := cmp.Diff(tt.want, Worse(ratios, tt.baseline)); diff != "" {
			t.Errorf("complaints (-want +got):\n%s", diff)
		}
	}
}

// TestLeast measures again with one value less, one more and one that is new.
func TestLeast(t *testing.T) {
	run, again := sample(), sample()
	again.Results = again.Results[:2]
	again.Results[0].Values[SyncCPU] = 0.5
	again.Results[1].Values[SyncCPU] = 3
	again.Results[1].Values[Memory] = 1
	run.Least(again)
	got := []float64{run.Results[0].Values[SyncCPU], run.Results[1].Values[SyncCPU], run.Results[1].Values[SyncWall], run.Results[2].Values[Memory]}
	if diff := cmp.Diff([]float64{0.5, 1.5, 2, 12e6}, got); diff != "" {
		t.Errorf("the least of two runs (-want +got):\n%s", diff)
	}
	if ratio := run.Ratios("ours")["policy, 100 sidecars, first sync, CPU, against limit"]; ratio != 3 {
		t.Errorf("the ratio of the least is %g, want 3", ratio)
	}
	nothing := &Run{Results: []Result{
		{Variant: "limit", Values: map[Metric]float64{Of("nothing", ChangeCPU): 1}}, {Variant: "ours", Values: map[Metric]float64{Of("nothing", ChangeCPU): 2}},
	}}
	if ratios := nothing.Ratios("ours"); len(ratios) > 0 {
		t.Errorf("changes of nothing are compared: %v", ratios)
	}
}
