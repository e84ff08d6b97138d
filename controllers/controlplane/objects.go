package controlplane

import (
	"context"
	"time"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/feed"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// readObjects feeds the cluster's objects into the store, and lets the store serve once all existing objects have arrived.
func (c *ControlPlane) readObjects(ctx context.Context, mgr manager.Manager, events *status.EventReporter) error {
	endStart := limitStartMemory()
	log := c.log.WithName("feed")
	objects := feed.New(feed.Config{
		Cache: mgr.GetCache(), Live: mgr.GetAPIReader(), Scheme: mgr.GetScheme(), Sink: c.store, Log: log, Now: time.Now,
		Events: feed.NewEvents(c.metrics.registry), Problems: events.Record,
	})
	synced, err := c.watchBuiltIn(ctx, objects)
	if err != nil {
		return err
	}
	definitions := traffic.Definitions{Mapper: mgr.GetRESTMapper(), Reader: mgr.GetAPIReader()}
	watcher := traffic.Watcher{Feed: objects, Definitions: definitions, Log: log}
	policies, err := watcher.Start(ctx, append(kinds.Policies(), kinds.GatewayAPI(c.config.Mesh)...))
	if err != nil {
		return err
	}
	for _, hasSynced := range policies {
		synced = append(synced, hasSynced)
	}
	if toolscache.WaitForCacheSync(ctx.Done(), synced...) {
		log.Info("all objects of the mesh have been read")
		c.store.MarkSynced()
		endStart()
	}
	return nil
}

// watchBuiltIn watches workloads and the MeshConfig, whose kinds are always defined.
func (c *ControlPlane) watchBuiltIn(ctx context.Context, objects *feed.Feed) ([]toolscache.InformerSynced, error) {
	meshConfig := kinds.MeshConfig(c.settings.apply)
	meshConfig.Namespace = c.config.Namespace
	var synced []toolscache.InformerSynced
	for _, source := range append(kinds.Workloads(c.config.Mesh), meshConfig) {
		hasSynced, err := objects.Watch(ctx, source)
		if err != nil {
			return nil, err
		}
		synced = append(synced, hasSynced)
	}
	return synced, nil
}
