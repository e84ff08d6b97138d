package traffic

import (
	"context"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/feed"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// Watcher watches kinds that not all clusters define, each once the cluster defines it.
type Watcher struct {
	Feed        *feed.Feed
	Definitions *Definitions
	Log         logr.Logger
}

// Start watches the kinds that are defined now, and returns a function for each that reports whether its first list has
// been delivered. The other kinds are watched in the background once they are defined. Start waits until it is certain
// which kinds are defined: a policy that is not read denies what it grants.
func (w Watcher) Start(ctx context.Context, sources []kinds.Source) (synced []func() bool, err error) {
	for _, source := range sources {
		defined, err := w.waitUntilKnown(ctx, source)
		if err != nil {
			return nil, err
		}
		if !defined {
			w.Log.Info("kind is not defined in this cluster; its objects take effect once it is", "kind", source.Kind)
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

// waitUntilKnown returns whether a kind is defined, once discovery and definition agree.
func (w Watcher) waitUntilKnown(ctx context.Context, source kinds.Source) (defined bool, err error) {
	err = wait.PollUntilContextCancel(ctx, LookupInterval, true, func(ctx context.Context) (bool, error) {
		var err error
		if defined, err = w.Definitions.Has(ctx, source.Object.GetObjectKind().GroupVersionKind()); err != nil {
			w.Log.Info("cannot find out yet whether a kind is defined; not ready meanwhile", "kind", source.Kind, "reason", err.Error())
		}
		return err == nil, nil
	})
	return defined, err
}

func (w Watcher) watchOnceDefined(ctx context.Context, source kinds.Source) {
	kind := source.Object.GetObjectKind().GroupVersionKind()
	err := w.Definitions.wait(ctx, func() bool {
		if defined, err := w.Definitions.Has(ctx, kind); err != nil || !defined {
			return false
		}
		if _, err := w.Feed.Watch(ctx, source); err != nil {
			w.Log.Error(err, "cannot watch kind yet", "kind", source.Kind)
			return false
		}
		return true
	}, kind)
	if err == nil {
		w.Log.Info("kind is defined and watched now", "kind", source.Kind)
	}
}
