package controlplane

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/feed"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/controlplane/tap"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
)

// newManager returns a manager with the cache of all objects. It has no leader election, because every replica serves
// sidecars and a manager that loses its Lease exits.
func newManager(restConfig *rest.Config, namespace string) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, configv1alpha2.AddToScheme, operatorv1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	objects := kinds.CacheOptions()
	definition, names := traffic.CacheOptions()
	objects[definition] = names
	objects[&configv1alpha2.MeshConfig{}] = cache.ByObject{Namespaces: map[string]cache.Config{namespace: {}}}
	return ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                 scheme,
		Cache:                  cache.Options{ByObject: objects, DefaultTransform: stripManagedFields(), NewInformer: backoff.NewInformer},
		Client:                 client.Options{Cache: &client.CacheOptions{Unstructured: true}},
		Metrics:                metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress: "0",
	})
}

// stripManagedFields removes managed fields from objects, except from those whose conditions belong to several controllers: there they say who wrote each.
func stripManagedFields() toolscache.TransformFunc {
	strip := cache.TransformStripManagedFields()
	return func(object any) (any, error) {
		if u, ok := object.(*unstructured.Unstructured); ok && u.GroupVersionKind().Group == kinds.ServiceExport.Group {
			return object, nil
		}
		return strip(object)
	}
}

// qps and burst limit the requests of the process to the API server.
const qps, burst = 50, 100

// apiServer is how the API server is reached.
type apiServer struct {
	config  *rest.Config
	clients kubernetes.Interface
}

// newAPIServer finds the API server's address, and registers a metric for the ages of watches.
func newAPIServer(registry prometheus.Registerer) (apiServer, error) {
	config, err := ctrl.GetConfig()
	if err != nil {
		return apiServer{}, fmt.Errorf("the API server's address is not known: run in a cluster, or set KUBECONFIG: %w", err)
	}
	config.QPS, config.Burst = qps, burst
	// Watching deprecated policy kinds causes warnings on which readers of the log cannot act.
	config.WarningHandlerWithContext = rest.NoWarnings{}
	ages := feed.NewWatchAges(time.Now)
	registry.MustRegister(ages)
	config.Wrap(ages.Wrap)
	clients, err := kubernetes.NewForConfig(config)
	return apiServer{config, clients}, err
}

// readObjects feeds the cluster's objects into the store, and lets the store serve once all existing objects have arrived.
func (c *ControlPlane) readObjects(
	ctx context.Context, mgr manager.Manager, definitions *traffic.Definitions, events *status.EventReporter, peers *peers,
) error {
	endStart := limitStartMemory()
	log := c.log.WithName("feed")
	objects := feed.New(feed.Config{
		Cache: mgr.GetCache(), Live: mgr.GetAPIReader(), Scheme: mgr.GetScheme(), Sink: tap.New(time.Now, c.sink().Apply), Log: log, Now: time.Now,
		Events: feed.NewEvents(c.metrics.registry), Problems: events.Record,
	})
	synced, err := c.watchBuiltIn(ctx, objects)
	if err != nil {
		return err
	}
	if err := definitions.Watch(ctx, mgr.GetCache()); err != nil {
		return err
	}
	watcher := traffic.Watcher{Feed: objects, Definitions: definitions, Log: log}
	optional, err := watcher.Start(ctx, kinds.Optional(c.config.Mesh))
	if err != nil {
		return err
	}
	for _, hasSynced := range optional {
		synced = append(synced, hasSynced)
	}
	if toolscache.WaitForCacheSync(ctx.Done(), synced...) {
		log.Info("all objects of the mesh have been read")
		peers.load(ctx)
		c.store.MarkSynced()
		endStart()
	}
	return nil
}

// sink returns the receivers of all changes: what configures sidecars, and what people are told about policies.
func (c *ControlPlane) sink() feed.Sink { return feed.Sinks{c.store, c.mirror} }

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
