package backoff

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// NewInformer returns an informer like cache.NewSharedIndexInformer. It is the field NewInformer of the options of a cache.
func NewInformer(objects cache.ListerWatcher, example runtime.Object, resync time.Duration, indexers cache.Indexers) cache.SharedIndexInformer {
	return cache.NewSharedIndexInformer(persistent{cache.ToListerWatcherWithContext(objects)}, example, resync, indexers)
}

// persistent repeats requests until the API server answers them.
type persistent struct {
	objects cache.ListerWatcherWithContext
}

// ListWithContext implements cache.ListerWithContext.
func (p persistent) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	return repeat(ctx, func() (runtime.Object, error) { return p.objects.ListWithContext(ctx, options) })
}

// WatchWithContext implements cache.WatcherWithContext.
func (p persistent) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return repeat(ctx, func() (watch.Interface, error) { return p.objects.WatchWithContext(ctx, options) })
}

// List implements cache.Lister.
func (p persistent) List(options metav1.ListOptions) (runtime.Object, error) {
	return p.ListWithContext(context.Background(), options)
}

// Watch implements cache.Watcher.
func (p persistent) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return p.WatchWithContext(context.Background(), options)
}

// repeat calls request until it returns anything but that the API server is not reachable, or until ctx ends.
func repeat[T any](ctx context.Context, request func() (T, error)) (T, error) {
	// From half a second to five seconds, and up to half of each is added at random.
	pauses := wait.Backoff{Duration: 500 * time.Millisecond, Factor: 1.5, Jitter: 0.5, Steps: 10, Cap: 5 * time.Second}
	for first := true; ; first = false {
		result, err := request()
		if err == nil || !isUnreachable(err) {
			return result, err
		}
		if first {
			klog.FromContext(ctx).Info("The API server is not reachable; the request is repeated until it is", "err", err)
		}
		select {
		case <-ctx.Done():
			return result, err
		case <-time.After(pauses.Step()):
		}
	}
}

// isUnreachable reports whether the API server did not answer, or a proxy before it did. An API server that limits requests is reachable:
// the informer waits longer each time.
func isUnreachable(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		switch status.Status().Code {
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	var transport *url.Error
	return errors.As(err, &transport)
}

// pollInterval is how often an absent API server is tried.
const pollInterval = 2 * time.Second

// AwaitAPIServer waits until the API server answers, and serves health meanwhile. A program that exits instead is restarted with growing
// delays, and stays away for minutes after a long outage.
func AwaitAPIServer(ctx context.Context, server discovery.ServerVersionInterface, serveHealth func(context.Context) error, log logr.Logger) error {
	if _, err := server.ServerVersion(); err == nil {
		return nil
	}
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- serveHealth(waiting) }()
	err := wait.PollUntilContextCancel(waiting, pollInterval, true, func(context.Context) (bool, error) {
		_, err := server.ServerVersion()
		if err != nil {
			log.Info("waiting for the API server", "reason", err.Error())
		}
		return err == nil, nil
	})
	stop()
	// The address must be free for the program.
	return errors.Join(err, <-served)
}

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
