package injector

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/client-go/discovery"

	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/health"
)

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
