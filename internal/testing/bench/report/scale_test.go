package report

import (
	"math"
	"strings"
	"testing"
)

func TestFit(t *testing.T) {
	line, err := Fit([]float64{1, 2, 4}, []float64{12, 14, 18})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(line.At0-10) > 1e-9 || math.Abs(line.Slope-2) > 1e-9 || line.Bend() > 1e-9 {
		t.Errorf("the line is %+v, bent by %g; want 10 + 2x", line, line.Bend())
	}
	bent, err := Fit([]float64{0, 1, 2}, []float64{0, 1, 4})
	if err != nil {
		t.Fatal(err)
	}
	if bent.Slope != 2 || bent.Bend() != 0.5 {
		t.Errorf("the line is %+v, bent by %g; want slope 2 and steps 1 and 3, half of it away", bent, bent.Bend())
	}
	if _, err := Fit([]float64{3, 3}, []float64{1, 2}); err == nil {
		t.Error("two measurements of one size make a line")
	}
}

// TestShareOf holds the arithmetic of a replica against numbers that are easy to check by hand.
func TestShareOf(t *testing.T) {
	c := Costs{
		Mesh: Line{At0: 100, Slope: 1}, Sidecar: Line{At0: 5000, Slope: 10}, Return: Line{Slope: 0.001}, Read: Line{Slope: 0.0001},
		Peak: 1.5, Change: 0.005, Elsewhere: 0.001, ChangeBytes: 2000,
	}
	got := c.ShareOf(Assumptions{Sidecars: 10000, Changes: 40, Age: 1000, Event: 500}, 5)
	want := Share{
		Replicas: 5, Sidecars: 2500, Memory: 100 + 10000 + 25000, Peak: 100 + 10000 + 37500,
		Busy: 40*(0.001+0.001) + 2.5*0.001, Storm: 1 + 2.5, Failover: 0.5, Sent: 20000, Watched: 20000,
	}
	for _, v := range []struct {
		name      string
		got, want float64
	}{
		{"sidecars", float64(got.Sidecars), float64(want.Sidecars)},
		{"memory", got.Memory, want.Memory},
		{"peak", got.Peak, want.Peak},
		{"busy", got.Busy, want.Busy},
		{"storm", got.Storm, want.Storm},
		{"failover", got.Failover, want.Failover},
		{"sent", got.Sent, want.Sent},
		{"watched", got.Watched, want.Watched},
	} {
		if math.Abs(v.got-v.want) > 1e-9 {
			t.Errorf("%s is %g, want %g", v.name, v.got, v.want)
		}
	}
}

func TestScaleTable(t *testing.T) {
	run := &Run{Results: []Result{
		{Variant: "ours", Sidecars: 10, Of: 30, Values: map[Metric]float64{Memory: 3e6}},
		{Variant: "ours", Sidecars: 20, Of: 30, Values: map[Metric]float64{Memory: 4e6}},
	}}
	line, err := run.LineOf("ours", Memory, func(r Result) (float64, bool) { return float64(r.Sidecars), r.Of == 30 })
	if err != nil {
		t.Fatal(err)
	}
	c := Costs{Sidecar: line, Peak: 1}
	a := Assumptions{Sidecars: 1000, Changes: 1, Age: 1800, Event: 1e3}
	var text strings.Builder
	if err := ScaleTable(&text, run, c, a, []Share{c.ShareOf(a, 3)}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| | ours, 10 of 30 | ours, 20 of 30 |", "| memory | 3 MB | 4 MB |", "| memory by connected sidecars | 2 MB | 100 kB | 100 kB | 0 % |", "| 3 | 500 | 50 MB | 50 MB |",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the tables lack %q:\n%s", want, text.String())
		}
	}
	if _, err := run.LineOf("ours", SyncCPU, func(Result) (float64, bool) { return 1, true }); err == nil {
		t.Error("a line goes through measurements that were not made")
	}
}
