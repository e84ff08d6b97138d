package rollout

import (
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
