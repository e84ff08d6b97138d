package config

import (
	"context"
	"time"
)

// Resync calls a function again and again, at an interval that may change at any time.
type Resync struct {
	act      func()
	interval chan time.Duration
}

// NewResync makes a Resync that calls act. It rests until it has an interval.
func NewResync(act func()) *Resync { return &Resync{act: act, interval: make(chan time.Duration, 1)} }

// Set changes the interval; 0 means never. It does not block, and is for one goroutine.
func (r *Resync) Set(interval time.Duration) {
	select {
	case <-r.interval: // nobody has taken the last one yet
	default:
	}
	r.interval <- interval
}

// Run calls until ctx ends. An interval that is set again to what it is begins no new wait.
func (r *Resync) Run(ctx context.Context) error {
	var current time.Duration
	ticker := time.NewTicker(time.Hour)
	ticker.Stop()
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			r.act()
		case interval := <-r.interval:
			switch {
			case interval == current:
			case interval > 0:
				ticker.Reset(interval)
			default:
				ticker.Stop()
			}
			current = interval
		}
	}
}
