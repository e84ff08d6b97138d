package main

import (
	"context"
	"sync"
	"time"
)

const (
	// stallTick is how often a stallWatch wants to run.
	stallTick = 20 * time.Millisecond
	// stallLeast is the shortest delay that counts as a stall.
	stallLeast = 5 * stallTick
)

// stall is a time in which this program got no processor.
type stall struct{ from, to time.Time }

// stallWatch notes when this program got no processor: what it then calls slow may be its own fault.
type stallWatch struct {
	mu     sync.Mutex
	last   time.Time
	stalls []stall
}

// startStallWatch watches until ctx ends.
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
				w.ran(time.Now())
			}
		}
	}()
	return w
}

// ran notes a moment at which the program runs.
func (w *stallWatch) ran(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.last) >= stallLeast {
		w.stalls = append(w.stalls, stall{w.last.Add(stallTick), now})
	}
	w.last = now
}

// between is how long the program got no processor between two moments, all stalls together. The second is now.
func (w *stallWatch) between(moment, now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var sum time.Duration
	if now.Sub(w.last) >= stallLeast {
		sum = stall{w.last.Add(stallTick), now}.after(moment)
	}
	for i := len(w.stalls) - 1; i >= 0 && w.stalls[i].to.After(moment); i-- {
		sum += w.stalls[i].after(moment)
	}
	return sum
}

// after is how much of the stall lies after a moment.
func (s stall) after(moment time.Time) time.Duration {
	if s.from.Before(moment) {
		return max(0, s.to.Sub(moment))
	}
	return s.to.Sub(s.from)
}
