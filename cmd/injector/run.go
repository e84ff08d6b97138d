package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/cluster"

	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/injector/inject/webhook"
	"github.com/openservicemesh/osm-operator/internal/platform/admissionserver"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/health"
	"github.com/openservicemesh/osm-operator/internal/platform/httplimit"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

// maxReviews is how many reviews are handled at the same time.
const maxReviews = 64

// propagationDelay is how long a stopping injector accepts reviews, until every API server has removed its endpoint.
const propagationDelay = 5 * time.Second

// program holds the parts of the running injector.
type program struct {
	options  options
	log      *logging.Logger
	registry *prometheus.Registry
	limits   *httplimit.Metrics
	config   *rest.Config
	cluster  cluster.Cluster
	watcher  *certwatcher.CertWatcher
	// synced is true once all existing objects have been read.
	synced atomic.Bool
}

// run serves reviews until ctx ends or a part of the program fails.
func run(ctx context.Context, o options) error {
	p, err := newProgram(o)
	if err != nil {
		return err
	}
	if err := p.awaitAPIServer(ctx); err != nil {
		return err
	}
	if p.cluster, err = newCluster(p.config, o); err != nil {
		return err
	}
	clientCAs, err := admissionserver.ParseClientCAs(o.webhookClientCA)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.webhookAddress)
	if err != nil {
		return fmt.Errorf("the webhook cannot listen: %w", err)
	}
	p.log.Info("starting injector", "version", version.Version, "mesh", o.mesh, "namespace", o.namespace, "revision", o.revision)
	reviews := webhook.NewServeMux(p.handler(), webhook.NewMetrics(p.registry, time.Now))
	stopping, stop := context.WithCancel(ctx)
	defer stop()
	// The dependencies of reviews run until the webhook server has drained.
	dependenciesCtx, stopDependencies := context.WithCancel(context.WithoutCancel(ctx))
	group, running := errgroup.WithContext(dependenciesCtx)
	context.AfterFunc(running, stop)
	group.Go(func() error { return p.cluster.Start(running) })
	group.Go(func() error { return p.watcher.Start(running) })
	group.Go(func() error { return p.sync(running) })
	group.Go(func() error { return p.serveHealth(running, func() error { return p.notReady(stopping) }) })
	group.Go(func() error {
		defer stopDependencies()
		return admissionserver.Serve(stopping, admissionserver.Config{
			Listener: listener, Handler: reviews, Certificate: p.watcher.GetCertificate, ClientCAs: clientCAs,
			Requests: maxReviews, PropagationDelay: propagationDelay, OnClosed: p.limits.CountClosed,
		})
	})
	return group.Wait()
}

// awaitAPIServer waits until the API server answers, which caches require when they are made. Meanwhile the injector is alive, and not ready.
func (p *program) awaitAPIServer(ctx context.Context) error {
	server, err := discovery.NewDiscoveryClientForConfig(p.config)
	if err != nil {
		return fmt.Errorf("the API server cannot be called: %w", err)
	}
	return backoff.AwaitAPIServer(ctx, server, func(waiting context.Context) error {
		return p.serveHealth(waiting, func() error { return errors.New("waiting for the API server") })
	}, p.log.Logger)
}

func (p *program) serveHealth(ctx context.Context, notReady func() error) error {
	return health.Serve(ctx, health.Config{
		Address: p.options.healthAddress, Handler: health.Handler(p.registry, notReady), OnClosed: p.limits.CountClosed,
	})
}

// newProgram returns a program without its cluster.
func newProgram(o options) (*program, error) {
	p := &program{options: o, log: logging.New(o.logLevel), registry: prometheus.NewRegistry()}
	ctrl.SetLogger(p.log.Logger)
	p.limits = httplimit.NewMetrics(p.registry)
	p.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var err error
	if p.watcher, err = certwatcher.New(filepath.Join(o.webhookCertDir, "tls.crt"), filepath.Join(o.webhookCertDir, "tls.key")); err != nil {
		return nil, fmt.Errorf("the certificate of the webhook cannot be read from %s, where the operator's Secret is mounted: %w", o.webhookCertDir, err)
	}
	if p.config, err = ctrl.GetConfig(); err != nil {
		return nil, fmt.Errorf("the API server's address is not known: run in a cluster, or set KUBECONFIG: %w", err)
	}
	return p, nil
}

// handler returns the webhook handler, which reads from the cache.
func (p *program) handler() *webhook.Handler {
	return &webhook.Handler{
		Config: inject.Config{
			Mesh: p.options.mesh, Namespace: p.options.namespace, TrustDomain: p.options.trustDomain, Revision: p.options.revision,
			XDSHost:    p.options.xdsHost,
			EnvoyImage: p.options.envoyImage, InitImage: p.options.initImage,
		},
		Cluster: &webhook.Objects{
			Mesh: p.options.mesh, MeshNamespace: p.options.namespace,
			Cached: p.cluster.GetCache(), Live: p.cluster.GetAPIReader(), Writer: p.cluster.GetClient(),
		},
		NewUUID: uuid.NewString,
		Log:     p.log.WithName("webhook"),
	}
}

// notReady returns why the injector cannot serve reviews, or nil.
func (p *program) notReady(stopping context.Context) error {
	switch {
	case stopping.Err() != nil:
		return errors.New("the injector is stopping")
	case !p.synced.Load():
		return errors.New("namespaces and the MeshConfig have not been read yet")
	}
	return nil
}
