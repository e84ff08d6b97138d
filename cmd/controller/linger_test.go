package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A control plane that is told to stop takes no new connections, and serves those that still find it.
func TestAStoppingControlPlaneServesALittleLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		last, end := linger(ctx, leaveTime)
		defer end()
		time.Sleep(time.Hour)
		if last.Err() != nil {
			t.Fatal("it ended before it was told to stop")
		}
		stop()
		if err := (&program{}).notReady(ctx); err == nil {
			t.Error("it is ready for new connections")
		}
		time.Sleep(leaveTime - time.Millisecond)
		if last.Err() != nil {
			t.Error("it ended at once")
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if last.Err() == nil {
			t.Error("it never ends")
		}
	})
}
