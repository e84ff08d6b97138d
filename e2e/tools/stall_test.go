package main

import (
	"testing"
	"time"
)

func TestBetweenCountsOnlyStallsAfterStart(t *testing.T) {
	begin := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	w := stallWatch{last: at(0)}
	for _, ms := range []int{20, 1020, 1045, 1545} {
		w.recordTick(at(ms))
	}
	for _, c := range []struct {
		from, now int
		want      time.Duration
	}{
		{0, 1550, 1460 * time.Millisecond},
		{520, 1550, 980 * time.Millisecond},
		{1030, 1550, 480 * time.Millisecond},
		{1545, 1550, 0},
		{1545, 2045, 480 * time.Millisecond},
		{2000, 2045, 45 * time.Millisecond},
	} {
		if got := w.between(at(c.from), at(c.now)); got != c.want {
			t.Errorf("between %d and %d ms = %s, want %s", c.from, c.now, got, c.want)
		}
	}
}
