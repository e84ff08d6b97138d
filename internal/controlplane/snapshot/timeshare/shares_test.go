package timeshare

import (
	"testing"
	"time"
)

// TestShares_OneNamespaceWaits checks that a namespace waits once it has used its burst, and others do not.
func TestShares_OneNamespaceWaits(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := New(Limits{Burst: time.Second, Percent: 10, MaxWait: 10 * time.Second})
	check := func(when, namespace string, want time.Duration) {
		t.Helper()
		if got := s.Wait(namespace, now); got != want {
			t.Errorf("%s: %s waits %v, want %v", when, namespace, got, want)
		}
	}
	check("unused", "a", 0)
	s.Charge("a", time.Second, now)
	check("at the burst", "a", 0)
	s.Charge("a", 200*time.Millisecond, now)
	check("beyond it", "a", 2*time.Second)
	check("beyond it", "b", 0)
	now = now.Add(500 * time.Millisecond)
	check("later", "a", 1500*time.Millisecond)
	s.Charge("a", time.Hour, now)
	check("after endless work", "a", 10*time.Second)
	now = now.Add(19 * time.Second)
	s.Prune(now)
	if len(s.used) != 1 {
		t.Error("a used share is forgotten")
	}
	now = now.Add(time.Minute)
	if s.Prune(now); len(s.used) != 0 {
		t.Error("an unused share is kept")
	}
}

// TestShares_NoTime checks that work that took no time, or less because of a clock, changes nothing.
func TestShares_NoTime(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := New(Limits{Burst: time.Second, Percent: 10, MaxWait: 10 * time.Second})
	if s.Charge("a", 0, now); len(s.used) != 0 {
		t.Errorf("work without time uses %v", s.used)
	}
	s.Charge("a", time.Second, now)
	if s.Charge("a", -time.Second, now); s.Used("a", now) != time.Second {
		t.Errorf("work of less than no time leaves %s", s.Used("a", now))
	}
}

// TestShares_PermanentPart checks how much time a namespace gets that always has work.
func TestShares_PermanentPart(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := New(Limits{Burst: time.Second, Percent: 25, MaxWait: 10 * time.Second})
	began, worked := now, time.Duration(0)
	for now.Sub(began) < 10*time.Minute {
		const work = 300 * time.Millisecond
		now = now.Add(s.Wait("a", now) + work)
		s.Charge("a", work, now)
		worked += work
	}
	if part := worked.Seconds() / now.Sub(began).Seconds(); part < 0.24 || part > 0.27 {
		t.Errorf("the namespace got %.2f of the time, want 0.25", part)
	}
}
