package loadstats

import (
	"math"
	"testing"
	"time"
)

// TestForgedReportsAreBounded reports more failed requests than a sidecar can send, at once and in many reports.
func TestForgedReportsAreBounded(t *testing.T) {
	c := newClock()
	s := newTestStore(c)
	forger, honest := s.Register("one", buyer, ""), s.Register("two", till, "")
	s.Read()
	c.wait(Interval)
	if dropped := forger.Report(load("a/web|80", math.MaxUint64, 0, math.MaxUint64), Interval); dropped != 1 {
		t.Errorf("%d impossible counts were dropped, want 1", dropped)
	}
	if dropped := honest.Report(load("a/web|80", 1000, 999, 1), Interval); dropped != 0 {
		t.Errorf("%d usual counts were dropped", dropped)
	}
	for range 1000 {
		c.wait(10 * time.Millisecond)
		forger.Report(load("a/web|80", maxRate, 0, maxRate), Interval)
		forger.Report(load("a/web|80", maxRate/100, 0, maxRate/100), Interval)
	}
	for _, p := range s.Read().Pairs {
		if limit := maxRate*11 + maxUnused; p.Client == buyer && p.Failed > limit {
			t.Errorf("%d failed requests count, want at most %d", p.Failed, limit)
		}
		if p.Client == till && p.Issued != 1000 {
			t.Errorf("%d requests of another workload count, want 1000", p.Issued)
		}
	}
}

// TestNewStreamsHaveNoNewBudget reports on a new stream each time.
func TestNewStreamsHaveNoNewBudget(t *testing.T) {
	c := newClock()
	s := newTestStore(c)
	s.Read()
	for range 100 {
		c.wait(10 * time.Millisecond)
		s.Register("one", buyer, "").Report(load("a/web|80", maxRate*60, 0, maxRate*60), Interval)
	}
	if failed := s.Read().Pairs[0].Failed; failed > maxRate*60 {
		t.Errorf("%d failed requests count, want at most those of one minute", failed)
	}
}

func TestImplausibleIntervals(t *testing.T) {
	for name, c := range map[string]struct{ within, want time.Duration }{
		"too long": {1 << 62, Window},
		"negative": {-time.Hour, 0},
	} {
		s := newTestStore(newClock())
		s.Read()
		s.Register("one", buyer, "").Report(load("a/web|80", 1, 1, 0), c.within)
		if got := s.Read().Pairs[0].Over; got != c.want {
			t.Errorf("an interval that is %s counts as %s, want %s", name, got, c.want)
		}
	}
}
