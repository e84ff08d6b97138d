package main

import (
	"context"
	"sync"
	"time"
)

const (
	// stallTick is the interval in which a stallWatch expects to run.
	stallTick = 20 * time.Millisecond
	// minStall is the shortest delay that counts as a stall.
	minStall = 5 * stallTick
)

// stall is an interval in which this program had no processor.
type stall struct{ from, to time.Time }

// stallWatch records when this program had no processor, because delays it measures then may be its own.
type stallWatch struct {
	mu     sync.Mutex
	last   time.Time
	stalls []stall
}

// startStallWatch records stalls until ctx ends.
func startStallWatch(ctx context.Context) *stallWatch {
	w := &stallWatch{last: time.Now()}
	go func() {
		ticker := time.NewTicker(stallTick)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				w.recordTick(time.Now())
			}
		}
	}()
	return w
}

// recordTick records a time at which the program runs.
func (w *stallWatch) recordTick(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.last) >= minStall {
		w.stalls = append(w.stalls, stall{w.last.Add(stallTick), now})
	}
	w.last = now
}

// between returns the total stall time between a past moment and now.
func (w *stallWatch) between(moment, now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var sum time.Duration
	if now.Sub(w.last) >= minStall {
		sum = stall{w.last.Add(stallTick), now}.after(moment)
	}
	for i := len(w.stalls) - 1; i >= 0 && w.stalls[i].to.After(moment); i-- {
		sum += w.stalls[i].after(moment)
	}
	return sum
}

// after returns the part of the stall after a moment.
func (s stall) after(moment time.Time) time.Duration {
	if s.from.Before(moment) {
		return max(0, s.to.Sub(moment))
	}
	return s.to.Sub(s.from)
}
