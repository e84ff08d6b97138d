package demo

import (
	"context"
	"time"
)

// Every calls f at once and then at each interval until ctx is done. If a call takes longer than the interval, the next one
// is delayed.
func Every(ctx context.Context, interval time.Duration, f func(context.Context)) {
	ticker := time.NewTicker(max(interval, time.Millisecond))
	defer ticker.Stop()
	for ctx.Err() == nil {
		f(ctx)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}
