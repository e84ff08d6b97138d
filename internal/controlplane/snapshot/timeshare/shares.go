package timeshare

import (
	"maps"
	"time"
)

// Shares counts the time that namespaces use. It belongs to one goroutine.
type Shares struct {
	limits Limits
	used   map[string]usage
}

// Limits are those of one namespace.
type Limits struct {
	// Burst is how much time a namespace may use at once.
	Burst time.Duration
	// Percent is the part of the time that a namespace may use permanently.
	Percent int
	// MaxWait is the longest pause, however long the work took.
	MaxWait time.Duration
}

// usage is the used time that was not given back yet, as of a time.
type usage struct {
	time time.Duration
	at   time.Time
}

// New returns Shares of which nothing is used.
func New(limits Limits) *Shares { return &Shares{limits: limits, used: map[string]usage{}} }

// Charge records that work for a namespace has ended, and how long it took.
func (s *Shares) Charge(namespace string, spent time.Duration, now time.Time) {
	if spent <= 0 {
		return
	}
	longest := s.limits.Burst + s.refill(s.limits.MaxWait)
	s.used[namespace] = usage{min(s.Used(namespace, now)+spent, longest), now}
}

// Wait returns how long further work for a namespace has to wait, 0 if it may begin.
func (s *Shares) Wait(namespace string, now time.Time) time.Duration {
	excess := s.Used(namespace, now) - s.limits.Burst
	if excess <= 0 {
		return 0
	}
	return excess * 100 / time.Duration(s.limits.Percent)
}

// Prune forgets namespaces that have used nothing for long.
func (s *Shares) Prune(now time.Time) {
	maps.DeleteFunc(s.used, func(namespace string, _ usage) bool { return s.Used(namespace, now) == 0 })
}

// Used returns how much time a namespace has used that was not given back yet.
func (s *Shares) Used(namespace string, now time.Time) time.Duration {
	u := s.used[namespace]
	return max(u.time-s.refill(now.Sub(u.at)), 0)
}

// refill is the time that a namespace gets back while some time passes.
func (s *Shares) refill(passed time.Duration) time.Duration {
	return passed / 100 * time.Duration(s.limits.Percent)
}
