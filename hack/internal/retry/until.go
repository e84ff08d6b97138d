package retry

import (
	"context"
	"time"
)

// Until repeats a function at an interval until it succeeds. It returns the last error when the time limit has passed or ctx has ended.
func Until(ctx context.Context, limit, interval time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}
