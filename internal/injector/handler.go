package injector

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/cluster"

	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/injector/inject/webhook"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/health"
)

// handler returns the webhook handler, which reads from the cache of a cluster.
func (i *Injector) handler(c cluster.Cluster) *webhook.Handler {
	return &webhook.Handler{
		Config: inject.Config{
			Mesh: i.config.Mesh, Namespace: i.config.Namespace, TrustDomain: i.config.TrustDomain, Revision: i.config.Revision,
			XDSHost:    i.config.XDSHost,
			EnvoyImage: i.config.EnvoyImage, InitImage: i.config.InitImage,
		},
		Cluster: &webhook.Objects{
			Mesh: i.config.Mesh, MeshNamespace: i.config.Namespace,
			Cached: c.GetCache(), Live: c.GetAPIReader(), Writer: c.GetClient(),
		},
		NewUUID: uuid.NewString,
		Log:     i.log.WithName("webhook"),
	}
}

// awaitAPIServer waits until the API server answers, which caches require when they are made. Meanwhile the injector is alive, and not ready.
func (i *Injector) awaitAPIServer(ctx context.Context) error {
	server, err := discovery.NewDiscoveryClientForConfig(i.api)
	if err != nil {
		return fmt.Errorf("the API server cannot be called: %w", err)
	}
	return backoff.AwaitAPIServer(ctx, server, func(waiting context.Context) error {
		return i.serveHealth(waiting, func() error { return errors.New("waiting for the API server") })
	}, i.log.Logger)
}

func (i *Injector) serveHealth(ctx context.Context, notReady func() error) error {
	return health.Serve(ctx, health.Config{
		Address: i.config.HealthAddress, Handler: health.Handler(i.registry, notReady), OnClosed: i.limits.CountClosed,
	})
}
