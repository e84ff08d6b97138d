package injector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cluster"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/injector/inject/webhook"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
)

// objects are the cache and clients for reviews.
type objects struct {
	cluster cluster.Cluster
	log     *logging.Logger
	network *webhook.Network
	mu      sync.Mutex
	// servicesSynced is nil as long as Services are not counted.
	servicesSynced toolscache.InformerSynced
	// synced is true once all existing objects have been read.
	synced atomic.Bool
}

func newObjects(api *rest.Config, config Config, log *logging.Logger) (*objects, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	c, err := cluster.New(api, func(options *cluster.Options) {
		options.Scheme = scheme
		options.Cache = webhook.CacheOptions(config.Mesh, config.Namespace)
	})
	return &objects{cluster: c, log: log, network: &webhook.Network{}}, err
}

// sync waits until all existing objects have been read, and applies the log level of the MeshConfig.
func (o *objects) sync(ctx context.Context) error {
	var synced []toolscache.InformerSynced
	for _, object := range webhook.Cached() {
		informer, err := o.cluster.GetCache().GetInformer(ctx, object)
		if err != nil {
			return fmt.Errorf("%T cannot be watched: %w", object, err)
		}
		synced = append(synced, informer.HasSynced)
		if _, ok := object.(*configv1alpha2.MeshConfig); !ok {
			continue
		}
		registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { o.applySettings(ctx, object) },
			UpdateFunc: func(_, now any) { o.applySettings(ctx, now) },
		})
		if err != nil {
			return err
		}
		synced = append(synced, registration.HasSynced)
	}
	ranges, err := o.watchServiceCIDRs(ctx)
	if err != nil {
		return err
	}
	if ranges != nil {
		synced = append(synced, ranges)
	}
	// The settings decide whether Services are counted, so they come first.
	if toolscache.WaitForCacheSync(ctx.Done(), synced...) && toolscache.WaitForCacheSync(ctx.Done(), o.hasServices) {
		o.log.Info("namespaces and the MeshConfig have been read")
		o.synced.Store(true)
	}
	return nil
}

// applySettings applies the MeshConfig's settings for the injector itself.
func (o *objects) applySettings(ctx context.Context, object any) {
	if config, ok := object.(*configv1alpha2.MeshConfig); ok {
		o.log.SetLevel(config.Spec.Observability.OSMLogLevel)
		o.watchServices(ctx, config.Spec.Sidecar)
	}
}

// notReady returns why the injector cannot serve reviews, or nil. stopping ends when it has to stop.
func (o *objects) notReady(stopping context.Context) error {
	switch {
	case stopping.Err() != nil:
		return errors.New("the injector is stopping")
	case !o.synced.Load():
		return errors.New("namespaces and the MeshConfig have not been read yet")
	}
	return nil
}
