package controlplane

import (
	"context"
	"errors"

	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/health"
)

// awaitAPIServer waits until the API server answers, which managers require when they are made. Meanwhile the control plane is alive, and not ready.
func (c *ControlPlane) awaitAPIServer(ctx context.Context) error {
	return backoff.AwaitAPIServer(ctx, c.api.clients.Discovery(), func(waiting context.Context) error {
		return c.serveHealth(waiting, func() error { return errors.New("not ready: waiting for the API server") })
	}, c.log.Logger)
}

func (c *ControlPlane) serveHealth(ctx context.Context, notReady func() error) error {
	return health.Serve(ctx, health.Config{
		Address:  c.config.Addresses.Health,
		Handler:  c.metrics.http.Measure(health.Handler(c.metrics.registry, notReady), health.Paths()...),
		OnClosed: c.metrics.limits.CountClosed,
	})
}

// notReady returns why the control plane must not get new connections, or nil. stopping ends when it has to stop.
func (c *ControlPlane) notReady(stopping context.Context) error {
	if stopping.Err() != nil {
		return errors.New("not ready: the control plane is stopping")
	}
	if !c.store.IsReady() {
		return errors.New("not ready: not all objects of the mesh have been read")
	}
	return nil
}
