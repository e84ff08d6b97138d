package controlplane

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestResync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		r := NewResync(func() { calls++ })
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }()
		for _, step := range []struct {
			name     string
			set      []time.Duration
			wait     time.Duration
			expected int
		}{
			{"without an interval", nil, time.Hour, 0},
			{"with one", []time.Duration{time.Minute}, 150 * time.Second, 2},
			{"the same interval does not restart", []time.Duration{time.Minute}, 30 * time.Second, 3},
			{"the last of two applies", []time.Duration{time.Second, 30 * time.Second}, 95 * time.Second, 6},
			{"off", []time.Duration{0}, time.Hour, 6},
			{"on again", []time.Duration{time.Minute}, 61 * time.Second, 7},
		} {
			for _, interval := range step.set {
				r.Set(interval)
			}
			synctest.Wait()
			time.Sleep(step.wait)
			synctest.Wait()
			if calls != step.expected {
				t.Errorf("%s: %d calls, want %d", step.name, calls, step.expected)
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
