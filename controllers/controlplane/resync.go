package controlplane

import (
	"context"
	"time"
)

// Resync calls a function periodically, at an interval that can change at any time.
type Resync struct {
	act      func()
	interval chan time.Duration
}

// NewResync returns a Resync that calls act. It is idle until Set is called.
func NewResync(act func()) *Resync { return &Resync{act: act, interval: make(chan time.Duration, 1)} }

// Set changes the interval; 0 disables the calls. It does not block, and must be called from one goroutine only.
func (r *Resync) Set(interval time.Duration) {
	select {
	case <-r.interval: // replaces a value that Run has not received yet
	default:
	}
	r.interval <- interval
}

// Run calls the function until ctx ends. Setting the same interval again does not restart the current wait.
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
