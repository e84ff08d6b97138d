package injector

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
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

const (
	// searchInterval is how often the Service of the control plane is looked for.
	searchInterval = 5 * time.Second
	// refreshInterval is how often its address is read again. It only changes if somebody replaces the Service.
	refreshInterval = 5 * time.Minute
)

// followControlPlane keeps the address of the Service at host up to date until ctx ends. Pods that are created without it verify nothing.
func (o *objects) followControlPlane(ctx context.Context, host string) error {
	for {
		wait := searchInterval
		address, err := o.findControlPlane(ctx, host)
		switch {
		case err != nil && ctx.Err() == nil:
			o.log.Error(err, "new pods do not verify their redirection")
		case address.IsValid():
			o.network.ControlPlane.Store(&address)
			wait = refreshInterval
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// findControlPlane returns the first cluster IP of the Service at a host, "<service>.<namespace>.svc...". It is not valid if there is none.
func (o *objects) findControlPlane(ctx context.Context, host string) (netip.Addr, error) {
	service, rest, _ := strings.Cut(host, ".")
	namespace, _, _ := strings.Cut(rest, ".")
	list := &corev1.ServiceList{}
	err := o.cluster.GetAPIReader().List(ctx, list, client.InNamespace(namespace), client.MatchingFields{"metadata.name": service})
	if err != nil {
		return netip.Addr{}, fmt.Errorf("the Service %s/%s of the control plane cannot be read: %w", namespace, service, err)
	}
	for _, found := range list.Items {
		if address, err := netip.ParseAddr(found.Spec.ClusterIP); err == nil {
			return address, nil
		}
	}
	return netip.Addr{}, nil
}
