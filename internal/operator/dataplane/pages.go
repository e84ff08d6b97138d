package dataplane

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
)

// newInformer returns an informer whose lists have nothing that this package does not read. It is the field NewInformer of the options of a cache.
func newInformer(objects cache.ListerWatcher, example runtime.Object, resync time.Duration, indexers cache.Indexers) cache.SharedIndexInformer {
	return backoff.NewInformer(pages{cache.ToListerWatcherWithContext(objects)}, example, resync, indexers)
}

// pages lists objects page by page, and strips each page before the next one is read. Otherwise all objects are in memory whole before the cache strips the
// first one: 10,000 pods need more than the operator may have. An API server that streams its lists, as Kubernetes 1.34 does, is not asked for pages.
type pages struct {
	objects cache.ListerWatcherWithContext
}

// ListWithContext implements cache.ListerWithContext.
func (p pages) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	if options.ResourceVersion == "0" {
		options.ResourceVersion = "" // with 0, the API server returns all objects as one page
	}
	list, err := p.objects.ListWithContext(ctx, options)
	if err != nil {
		return list, err
	}
	return list, meta.EachListItem(list, func(object runtime.Object) error {
		_, err := strip(object)
		return err
	})
}

// WatchWithContext implements cache.WatcherWithContext.
func (p pages) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return p.objects.WatchWithContext(ctx, options)
}

// List implements cache.Lister.
func (p pages) List(options metav1.ListOptions) (runtime.Object, error) {
	return p.ListWithContext(context.Background(), options)
}

// Watch implements cache.Watcher.
func (p pages) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return p.WatchWithContext(context.Background(), options)
}
