package controlplane

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A stopping control plane is not ready, but still serves connections for a while.
func TestDrainContext_ServesAfterStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		last, end := drainContext(ctx, propagationDelay)
		defer end()
		time.Sleep(time.Hour)
		if last.Err() != nil {
			t.Fatal("the context ended before the parent")
		}
		stop()
		if err := (&ControlPlane{}).notReady(ctx); err == nil {
			t.Error("the stopping control plane is ready")
		}
		time.Sleep(propagationDelay - time.Millisecond)
		if last.Err() != nil {
			t.Error("the context ended without a delay")
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if last.Err() == nil {
			t.Error("the context did not end after the delay")
		}
	})
}
