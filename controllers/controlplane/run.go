package controlplane

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

// Run runs the control plane until ctx ends or one of its parts fails.
func (c *ControlPlane) Run(ctx context.Context) error {
	if err := c.awaitAPIServer(ctx); err != nil {
		return err
	}
	mgr, err := newManager(c.api.config, c.config.Namespace)
	if err != nil {
		return err
	}
	serveXDS, err := c.xdsServer()
	if err != nil {
		return err
	}
	validator, err := c.newValidator(mgr.GetClient())
	if err != nil {
		return err
	}
	writer, err := c.newStatusWriter(mgr)
	if err != nil {
		return err
	}
	c.log.Info("starting control plane", "version", version.Version, "mesh", c.config.Mesh, "namespace", c.config.Namespace, "revision", c.config.Revision)
	drainCtx, cancel := drainContext(ctx, propagationDelay)
	defer cancel()
	return runAll(drainCtx,
		c.store.Run,
		c.settings.resync.Run,
		func(running context.Context) error { return c.authority.run(running, c.log.WithName("certificates")) },
		mgr.Start,
		func(running context.Context) error { return c.readObjects(running, mgr, writer.events) },
		serveXDS,
		validator.run,
		func(running context.Context) error {
			return c.serveHealth(running, func() error { return c.notReady(ctx) })
		},
		c.settings.debug.Run,
		c.serveReport,
		func(running context.Context) error { return writer.lead(ctx, running) },
		writer.events.Run,
		writer.watchRejections,
	)
}

// runAll runs all parts until ctx ends or one of them fails, which ends the context of the others.
func runAll(ctx context.Context, parts ...func(running context.Context) error) error {
	group, running := errgroup.WithContext(ctx)
	for _, part := range parts {
		group.Go(func() error { return part(running) })
	}
	return group.Wait()
}
