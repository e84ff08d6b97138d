package injector

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/injector/inject/webhook"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// watchServiceCIDRs counts ServiceCIDRs, if the cluster defines them now: an upgrade of Kubernetes restarts the injector. synced is nil if it does not.
func (o *objects) watchServiceCIDRs(ctx context.Context) (synced toolscache.InformerSynced, err error) {
	_, err = o.cluster.GetRESTMapper().RESTMapping(kinds.ServiceCIDR.GroupKind(), kinds.ServiceCIDR.Version)
	switch {
	case meta.IsNoMatchError(err):
		o.log.Info("the cluster does not define ServiceCIDRs, so all new sidecars are Eager")
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the discovery of ServiceCIDRs fails: %w", err)
	}
	return o.count(ctx, webhook.ServiceCIDRMetadata(), &o.network.ServiceCIDRs)
}

// watchServices counts Services from the moment on at which the settings select sidecars by their number. Other injectors need no memory for them.
func (o *objects) watchServices(ctx context.Context, settings configv1alpha2.SidecarSpec) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if settings.Destinations != configv1alpha2.DestinationsAuto || o.servicesSynced != nil {
		return
	}
	synced, err := o.count(ctx, webhook.ServiceMetadata(), &o.network.Services)
	if err != nil {
		o.log.Error(err, "Services are not counted, so new sidecars are Eager until the MeshConfig changes")
		return
	}
	o.servicesSynced = synced
}

// hasServices reports whether all existing Services have been counted, or are not counted.
func (o *objects) hasServices() bool {
	o.mu.Lock()
	synced := o.servicesSynced
	o.mu.Unlock()
	return synced == nil || synced()
}

// count feeds a counter with the objects of a kind.
func (o *objects) count(ctx context.Context, object client.Object, counter *webhook.Counter) (toolscache.InformerSynced, error) {
	informer, err := o.cluster.GetCache().GetInformer(ctx, object, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be watched: %w", object.GetObjectKind().GroupVersionKind().Kind, err)
	}
	registration, err := informer.AddEventHandler(counter.Handler())
	if err != nil {
		return nil, err
	}
	return registration.HasSynced, nil
}
