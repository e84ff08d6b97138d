package backoff

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Pauses of a controller after failures of one object. Each failure doubles it.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = time.Minute
)

// Options returns the options of a controller that reconciles so many objects at the same time, and waits at most a minute after a
// failure.
func Options(concurrency int) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: concurrency,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstPause, longestPause),
	}
}
