package injector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"

	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/injector/inject/pinned"
	"github.com/openservicemesh/osm-operator/internal/injector/inject/webhook"
	"github.com/openservicemesh/osm-operator/internal/platform/admissionserver"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/health"
	"github.com/openservicemesh/osm-operator/internal/platform/httplimit"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
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
	group.Go(func() error {
		return objects.followControlPlane(running, cmp.Or(i.config.XDSHost, names.ServiceHost(names.Controller, i.config.Namespace)))
	})
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
		Listener: listener, Handler: webhook.NewServeMux(i.handler(objects), webhook.NewMetrics(i.registry, time.Now)),
		Certificate: i.watcher.GetCertificate, ClientCAs: clientCAs,
		Requests: maxReviews, PropagationDelay: propagationDelay, OnClosed: i.limits.CountClosed,
	}, nil
}

// Injector adds sidecars to the pods of one mesh. Its fields are the parts that need no API server.
type Injector struct {
	config   Config
	sidecar  pinned.Sidecar
	log      *logging.Logger
	registry *prometheus.Registry
	limits   *httplimit.Metrics
	watcher  *certwatcher.CertWatcher
	api      *rest.Config
}

// New returns an injector. It reads the webhook's certificate and finds the API server's address, but sends no request.
func New(config Config) (*Injector, error) {
	log := logging.New(config.LogLevel)
	ctrl.SetLogger(log.Logger)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	dir := config.WebhookCertDir
	watcher, err := certwatcher.New(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		return nil, fmt.Errorf("the certificate of the webhook cannot be read from %s, where the operator's Secret is mounted: %w", dir, err)
	}
	registry.MustRegister(admissionserver.NewExpiryCollector(watcher.GetCertificate))
	api, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("the API server's address is not known: run in a cluster, or set KUBECONFIG: %w", err)
	}
	sidecar, err := pinned.Parse(config.Sidecar)
	if err != nil {
		return nil, err
	}
	return &Injector{config: config, sidecar: sidecar, log: log, registry: registry, limits: httplimit.NewMetrics(registry), watcher: watcher, api: api}, nil
}

// Config configures an injector. All fields but Revision, WebhookClientCA and XDSHost are required.
type Config struct {
	// Mesh is the name of the mesh. Namespaces with this label value belong to it.
	Mesh string
	// Namespace is the namespace of the control plane and its MeshConfig.
	Namespace string
	// TrustDomain is the suffix of workload principals.
	TrustDomain string
	// Revision is the name of the MeshRevision that this process is part of.
	Revision string
	// LogLevel is the log level until the MeshConfig is read.
	LogLevel string
	// WebhookCertDir has tls.crt and tls.key of the webhook.
	WebhookCertDir string
	// WebhookClientCA has PEM certificates of authorities whose clients may connect to the webhook. Empty means any client.
	WebhookClientCA string
	// XDSHost is the host that new sidecars connect to. Empty means the Service of the control plane in its namespace.
	XDSHost string
	// EnvoyImage and InitImage are the images of new sidecars, unless the MeshConfig has others.
	EnvoyImage, InitImage string
	// InPlace gives pods two slots, so that their sidecars can be upgraded while they run.
	InPlace bool
	// DrainBound is when a slot cuts the connections of an Envoy that drains; 0 selects the default.
	DrainBound time.Duration
	// SlotsLevel is the level of pods with two slots: pods of another level need more than new images to be upgraded.
	SlotsLevel int
	// Sidecar is what new pods get, as pinned.Parse reads it. Empty means what the MeshConfig has.
	Sidecar string
	// WebhookAddress and HealthAddress are those of the servers.
	WebhookAddress, HealthAddress string
}

// handler returns the webhook handler, which reads from the cache of the objects.
func (i *Injector) handler(objects *objects) *webhook.Handler {
	c := objects.cluster
	return &webhook.Handler{
		Config: inject.Config{
			Mesh: i.config.Mesh, Namespace: i.config.Namespace, TrustDomain: i.config.TrustDomain, Revision: i.config.Revision,
			XDSHost:    i.config.XDSHost,
			InPlace:    i.config.InPlace,
			DrainBound: i.config.DrainBound,
			SlotsLevel: i.config.SlotsLevel,
			EnvoyImage: i.config.EnvoyImage, InitImage: i.config.InitImage,
			Sidecar: i.sidecar,
		},
		Cluster: &webhook.Objects{
			Mesh: i.config.Mesh, MeshNamespace: i.config.Namespace,
			Cached: c.GetCache(), Live: c.GetAPIReader(), Writer: c.GetClient(), Network: objects.network,
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
