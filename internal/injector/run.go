package injector

import (
	"context"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/openservicemesh/osm-operator/internal/injector/inject/webhook"
	"github.com/openservicemesh/osm-operator/internal/platform/admissionserver"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

// maxReviews is how many reviews are handled at the same time.
const maxReviews = 64

// propagationDelay is how long a stopping injector accepts reviews, until every API server has removed its endpoint.
const propagationDelay = 5 * time.Second

// Run serves reviews until ctx ends or a part of the injector fails.
func (i *Injector) Run(ctx context.Context) error {
	if err := i.awaitAPIServer(ctx); err != nil {
		return err
	}
	objects, err := newObjects(i.api, i.config, i.log)
	if err != nil {
		return err
	}
	server, err := i.newServer(objects)
	if err != nil {
		return err
	}
	i.log.Info("starting injector", "version", version.Version, "mesh", i.config.Mesh, "namespace", i.config.Namespace, "revision", i.config.Revision)
	stopping, stop := context.WithCancel(ctx)
	defer stop()
	// The dependencies of reviews run until the webhook server has drained.
	dependenciesCtx, stopDependencies := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDependencies()
	group, running := errgroup.WithContext(dependenciesCtx)
	context.AfterFunc(running, stop)
	group.Go(func() error { return objects.cluster.Start(running) })
	group.Go(func() error { return i.watcher.Start(running) })
	group.Go(func() error { return objects.sync(running) })
	group.Go(func() error { return i.serveHealth(running, func() error { return objects.notReady(stopping) }) })
	group.Go(func() error {
		defer stopDependencies()
		return admissionserver.Serve(stopping, server)
	})
	return group.Wait()
}

// newServer returns the configuration of the webhook's server. It listens at once, so that a port conflict fails the start.
func (i *Injector) newServer(objects *objects) (admissionserver.Config, error) {
	clientCAs, err := admissionserver.ParseClientCAs(i.config.WebhookClientCA)
	if err != nil {
		return admissionserver.Config{}, err
	}
	listener, err := net.Listen("tcp", i.config.WebhookAddress)
	if err != nil {
		return admissionserver.Config{}, fmt.Errorf("the webhook cannot listen: %w", err)
	}
	return admissionserver.Config{
		Listener: listener, Handler: webhook.NewServeMux(i.handler(objects.cluster), webhook.NewMetrics(i.registry, time.Now)),
		Certificate: i.watcher.GetCertificate, ClientCAs: clientCAs,
		Requests: maxReviews, PropagationDelay: propagationDelay, OnClosed: i.limits.CountClosed,
	}, nil
}
