package main

import (
	"context"
	"net"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/egressgateway"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/feed"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/gateway"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/controlplane/report/server"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// newManager returns a manager with the cache of all objects. It has no leader election, because every replica serves
// sidecars and a manager that loses its Lease exits.
func newManager(restConfig *rest.Config, o options) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	objects := kinds.CacheOptions()
	objects[&configv1alpha2.MeshConfig{}] = cache.ByObject{Namespaces: map[string]cache.Config{o.namespace: {}}}
	return ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                 scheme,
		Cache:                  cache.Options{ByObject: objects, DefaultTransform: cache.TransformStripManagedFields(), NewInformer: backoff.NewInformer},
		Client:                 client.Options{Cache: &client.CacheOptions{Unstructured: true}},
		Metrics:                metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress: "0",
	})
}

// runFeed feeds the cluster's objects into the store, and lets the store serve once all existing objects have arrived.
func (p *program) runFeed(ctx context.Context) error {
	endStart := limitStartMemory()
	log := p.log.WithName("feed")
	objects := feed.New(feed.Config{
		Cache: p.manager.GetCache(), Live: p.manager.GetAPIReader(), Scheme: p.manager.GetScheme(), Sink: p.store, Log: log, Now: time.Now,
		Events: feed.NewEvents(p.registry), Problems: p.events.Record,
	})
	var synced []toolscache.InformerSynced
	settings := kinds.MeshConfig(p.settings)
	settings.Namespace = p.options.namespace
	for _, source := range append(kinds.Workloads(p.options.mesh), settings) {
		hasSynced, err := objects.Watch(ctx, source)
		if err != nil {
			return err
		}
		synced = append(synced, hasSynced)
	}
	definitions := traffic.Definitions{Mapper: p.manager.GetRESTMapper(), Reader: p.manager.GetAPIReader()}
	watcher := traffic.Watcher{Feed: objects, Definitions: definitions, Log: log}
	policies, err := watcher.Start(ctx, append(kinds.Policies(), kinds.GatewayAPI(p.options.mesh)...))
	if err != nil {
		return err
	}
	for _, hasSynced := range policies {
		synced = append(synced, hasSynced)
	}
	if toolscache.WaitForCacheSync(ctx.Done(), synced...) {
		log.Info("all objects of the mesh have been read")
		p.store.MarkSynced()
		endStart()
	}
	return nil
}

// addStatus adds the controllers that write the status of policies.
func (p *program) addStatus() error {
	own := func() report.Rejections {
		return server.Rejections(p.store.Rejections(), p.loads.Failures(), p.store.LimitedPolicies())
	}
	p.rejections = status.NewRejections(own, p.otherReplicas().Rejections, time.Now)
	p.store.OnRejections(p.rejections.Changed)
	p.events = status.NewEventReporter(p.manager.GetClient(), p.manager.GetEventRecorder(names.Controller), p.leader, p.options.mesh, p.log.WithName("status"))
	gateways := &gateway.Reconciler{
		Client: p.manager.GetClient(), Secrets: p.manager.GetAPIReader(), Leading: p.leader.Leading, Sink: p.store, Mesh: p.options.mesh, Namespace: p.options.namespace,
		Now: time.Now, Rejected: p.rejections.Of, RejectedRoutes: func() <-chan event.GenericEvent { return p.rejections.Watch(kinds.HTTPRoute) },
	}
	if err := gateways.Setup(p.manager); err != nil {
		return err
	}
	credentials := &egressgateway.Reconciler{
		Client: p.manager.GetClient(), Secrets: p.manager.GetAPIReader(), Sink: p.store, Mesh: p.options.mesh, Namespace: p.options.namespace,
	}
	if err := credentials.Setup(p.manager); err != nil {
		return err
	}
	return status.Writers{
		Leader: p.leader, Rejections: p.rejections, Mesh: p.options.mesh, Namespace: p.options.namespace, LookupHost: net.DefaultResolver.LookupHost,
		Secrets: p.manager.GetAPIReader(),
	}.Setup(p.manager)
}
