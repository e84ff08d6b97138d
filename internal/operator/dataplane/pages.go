package dataplane

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
)

// newInformer returns an informer whose lists have nothing that this package does not read. It is the field NewInformer of the options of a cache.
func newInformer(objects cache.ListerWatcher, example runtime.Object, resync time.Duration, indexers cache.Indexers) cache.SharedIndexInformer {
	return backoff.NewInformer(stripPages(objects), example, resync, indexers)
}

// stripPages lists objects page by page, and strips each page before the next one is read. Otherwise all objects are in memory whole before the cache strips
// the first one, and a pod is many times as large as what is kept of it. An API server that streams its lists, as Kubernetes 1.34 does, is not asked for pages.
func stripPages(objects cache.ListerWatcher) *cache.ListWatch {
	of := cache.ToListerWatcherWithContext(objects)
	list := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		if options.ResourceVersion == "0" {
			options.ResourceVersion = "" // with 0, the API server returns all objects as one page
		}
		page, err := of.ListWithContext(ctx, options)
		if err != nil {
			return page, err
		}
		return page, meta.EachListItem(page, func(object runtime.Object) error {
			_, err := strip(object)
			return err
		})
	}
	return &cache.ListWatch{ListWithContextFunc: list, WatchFuncWithContext: of.WatchWithContext}
}
