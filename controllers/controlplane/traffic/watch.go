package traffic

import (
	"context"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/openservicemesh/osm-operator/controllers/controlplane"
)

// Watcher watches the policy kinds, each once the cluster defines it.
type Watcher struct {
	Feed   *controlplane.Feed
	Mapper meta.RESTMapper
	Log    logr.Logger
}

// Start watches the kinds that are defined now, and returns a function for each that reports whether its first list has
// been delivered. The other kinds are watched in the background once they are defined.
func (w Watcher) Start(ctx context.Context, sources []controlplane.Source) (synced []func() bool, err error) {
	for _, source := range sources {
		if !w.isDefined(source) {
			w.Log.Info("kind is not defined in this cluster; its policies take effect once it is", "kind", source.Kind)
			go w.watchOnceDefined(ctx, source)
			continue
		}
		hasSynced, err := w.Feed.Watch(ctx, source)
		if err != nil {
			return nil, err
		}
		synced = append(synced, hasSynced)
	}
	return synced, nil
}

func (w Watcher) isDefined(source controlplane.Source) bool {
	return IsDefined(w.Mapper, source.Object.GetObjectKind().GroupVersionKind())
}

func (w Watcher) watchOnceDefined(ctx context.Context, source controlplane.Source) {
	err := wait.PollUntilContextCancel(ctx, DefinitionPollInterval, false, func(ctx context.Context) (bool, error) {
		if !w.isDefined(source) {
			return false, nil
		}
		if _, err := w.Feed.Watch(ctx, source); err != nil {
			w.Log.Error(err, "cannot watch kind yet", "kind", source.Kind)
			return false, nil
		}
		return true, nil
	})
	if err == nil {
		w.Log.Info("kind is defined and watched now", "kind", source.Kind)
	}
}
