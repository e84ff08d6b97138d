package main

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cluster"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/injector/inject/webhook"
)

// newCluster returns the cache and clients for reviews.
func newCluster(config *rest.Config, o options) (cluster.Cluster, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return cluster.New(config, func(options *cluster.Options) {
		options.Scheme = scheme
		options.Cache = webhook.CacheOptions(o.mesh, o.namespace)
	})
}

// sync waits until all existing objects have been read, and applies the log level of the MeshConfig.
func (p *program) sync(ctx context.Context) error {
	var synced []toolscache.InformerSynced
	for _, object := range webhook.Cached() {
		informer, err := p.cluster.GetCache().GetInformer(ctx, object)
		if err != nil {
			return fmt.Errorf("%T cannot be watched: %w", object, err)
		}
		synced = append(synced, informer.HasSynced)
		if _, ok := object.(*configv1alpha2.MeshConfig); !ok {
			continue
		}
		registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    p.applySettings,
			UpdateFunc: func(_, now any) { p.applySettings(now) },
		})
		if err != nil {
			return err
		}
		synced = append(synced, registration.HasSynced)
	}
	if toolscache.WaitForCacheSync(ctx.Done(), synced...) {
		p.log.Info("namespaces and the MeshConfig have been read")
		p.synced.Store(true)
	}
	return nil
}

// applySettings applies the MeshConfig's settings for the injector itself.
func (p *program) applySettings(object any) {
	if config, ok := object.(*configv1alpha2.MeshConfig); ok {
		p.log.SetLevel(config.Spec.Observability.OSMLogLevel)
	}
}
