package injector

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

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

// xdsHost returns the host of the control plane for new sidecars.
func (c Config) xdsHost() string {
	if c.XDSHost != "" {
		return c.XDSHost
	}
	return names.ServiceHost(names.Controller, c.Namespace)
}
