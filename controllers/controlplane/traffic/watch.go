package traffic

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/openservicemesh/osm-operator/controllers/controlplane"
)

// lookAgain is how often the API server is asked for a kind that it does not define yet.
const lookAgain = 5 * time.Second

// Watcher begins to watch the kinds of policies, each when the cluster defines it.
type Watcher struct {
	Feed   *controlplane.Feed
	Mapper meta.RESTMapper
	Log    logr.Logger
}

// Start begins with the kinds that are defined now, and answers with what says whether their first lists have been
// delivered. The others follow in the background when their definitions appear.
func (w Watcher) Start(ctx context.Context, sources []controlplane.Source) (synced []func() bool, err error) {
	for _, source := range sources {
		if !w.defined(source) {
			w.Log.Info("kind is not defined in this cluster yet; its policies come into force once it is", "kind", source.Kind)
			go w.await(ctx, source)
			continue
		}
		one, err := w.Feed.Watch(ctx, source)
		if err != nil {
			return nil, err
		}
		synced = append(synced, one)
	}
	return synced, nil
}

func (w Watcher) defined(source controlplane.Source) bool {
	kind := source.Object.GetObjectKind().GroupVersionKind()
	_, err := w.Mapper.RESTMapping(kind.GroupKind(), kind.Version)
	return err == nil
}

func (w Watcher) await(ctx context.Context, source controlplane.Source) {
	err := wait.PollUntilContextCancel(ctx, lookAgain, false, func(ctx context.Context) (bool, error) {
		if !w.defined(source) {
			return false, nil
		}
		if _, err := w.Feed.Watch(ctx, source); err != nil {
			w.Log.Error(err, "cannot watch yet", "kind", source.Kind)
			return false, nil
		}
		return true, nil
	})
	if err == nil {
		w.Log.Info("kind is defined now and watched", "kind", source.Kind)
	}
}
