package backoff

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// TestOptions fails for an hour. The next attempt follows within a minute of the end of the failure.
func TestOptions(t *testing.T) {
	limiter, request := Options(1).RateLimiter, reconcile.Request{}
	var failing, pause time.Duration
	attempts := 0
	for ; failing < time.Hour; failing += pause {
		pause = limiter.When(request)
		attempts++
	}
	if pause > time.Minute || attempts > 100 {
		t.Errorf("after an hour of failures, and %d attempts, the pause is %s", attempts, pause)
	}
}
