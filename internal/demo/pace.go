package demo

import (
	"context"
	"time"
)

// Every calls f at once and then each interval until ctx is done. A call that takes longer than the interval delays
// the next one instead of piling up.
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
