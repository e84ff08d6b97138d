package rollout

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestErrorRate(t *testing.T) {
	if rate := (Requests{Issued: 10, Failed: 2}).ErrorRate(); rate != 0.2 {
		t.Errorf("2 of 10 failed requests are a rate of %v", rate)
	}
	if rate := (Requests{}).ErrorRate(); rate != 0 {
		t.Errorf("without requests the rate is %v", rate)
	}
}

// TestExceeds checks that a lower rate never exceeds the tolerated one, and that more requests with the same rate are no less significant.
func TestExceeds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		issued := rapid.Uint64Range(1, 1_000_000).Draw(t, "issued")
		r := Requests{Issued: issued, Failed: rapid.Uint64Range(0, issued).Draw(t, "failed")}
		tolerated := rapid.Float64Range(0, 1).Draw(t, "tolerated")
		if r.exceeds(tolerated) && r.ErrorRate() <= tolerated {
			t.Fatalf("%+v exceeds %v", r, tolerated)
		}
		times := rapid.Uint64Range(1, 1000).Draw(t, "times")
		if more := (Requests{Issued: times * r.Issued, Failed: times * r.Failed}); r.exceeds(tolerated) && !more.exceeds(tolerated) {
			t.Fatalf("%+v exceeds %v, and %+v does not", r, tolerated, more)
		}
		if all := (Requests{Issued: issued, Failed: issued}); issued >= 5 && !all.exceeds(0.2) {
			t.Fatalf("%+v does not exceed a share of 0.2", all)
		}
	})
}

func TestUpperTail(t *testing.T) {
	for _, c := range []struct {
		n, k    uint64
		p, want float64
	}{
		{3, 1, 0.01, 0.029701},
		{4, 2, 0.01, 0.00059203},
		{10, 10, 0.5, 0.0009765625},
		{51, 5, 0.01, 0.0001601941062984},
		{1000, 20, 0.01, 0.0032883597877},
		{1000, 1, 0, 0},
	} {
		if got := upperTail(c.n, c.k, c.p); math.Abs(got-c.want) > c.want*1e-6 {
			t.Errorf("%d of %d requests that fail with probability %v: %v, want %v", c.k, c.n, c.p, got, c.want)
		}
	}
}
