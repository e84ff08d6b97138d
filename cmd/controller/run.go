package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/controllers/controlplane"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/feed"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/changetrace"
	"github.com/openservicemesh/osm-operator/internal/controlplane/debug"
	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/xds"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/health"
	"github.com/openservicemesh/osm-operator/internal/platform/httplimit"
	"github.com/openservicemesh/osm-operator/internal/platform/httpmetrics"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

// quarantineDelay leaves time for the operator to roll back a new version whose configuration sidecars reject.
const quarantineDelay = time.Minute

// program holds the parts of the running control plane.
type program struct {
	options   options
	log       *logging.Logger
	registry  *prometheus.Registry
	authority *authority
	store     *snapshot.Store
	loads     *loadstats.Store
	traces    *changetrace.Exporter
	http      *httpmetrics.Metrics
	limits    *httplimit.Metrics
	flags     *prometheus.GaugeVec
	// meshConfig is the current MeshConfig, or nil. It enables debug.
	meshConfig atomic.Pointer[configv1alpha2.MeshConfig]
	debug      *debug.Switch
	manager    manager.Manager
	config     *rest.Config
	clients    kubernetes.Interface
	leader     *status.Leader
	resync     *controlplane.Resync
	// rejections and events are set by addStatus.
	rejections *status.Rejections
	events     *status.EventReporter
}

// run runs the control plane until ctx ends or one of its parts fails.
func run(ctx context.Context, o options) error {
	p, err := newProgram(o)
	if err != nil {
		return err
	}
	if err := p.awaitAPIServer(ctx); err != nil {
		return err
	}
	if p.manager, err = newManager(p.config, o); err != nil {
		return err
	}
	server, listener, err := p.xdsServer()
	if err != nil {
		return err
	}
	validator, err := p.newValidator()
	if err != nil {
		return err
	}
	if err := p.addStatus(); err != nil {
		return err
	}
	p.log.Info("starting control plane", "version", version.Version, "mesh", o.mesh, "namespace", o.namespace, "revision", o.revision)
	drainCtx, cancel := drainContext(ctx, propagationDelay)
	defer cancel()
	group, running := errgroup.WithContext(drainCtx)
	group.Go(func() error { return p.store.Run(running) })
	group.Go(func() error { return p.resync.Run(running) })
	group.Go(func() error { return p.authority.run(running, p.log.WithName("certificates")) })
	group.Go(func() error { return p.manager.Start(running) })
	group.Go(func() error { return p.runFeed(running) })
	group.Go(func() error { return server.Serve(running, listener) })
	group.Go(func() error { return validator.run(running) })
	group.Go(func() error { return p.serveHealth(running, func() error { return p.notReady(ctx) }) })
	group.Go(func() error { return p.debug.Run(running) })
	group.Go(func() error { return p.serveReport(running) })
	group.Go(func() error { return p.writeStatus(ctx, running) })
	group.Go(func() error { return p.events.Run(running) })
	group.Go(func() error { return p.rejections.Run(running, p.leader.Leading, p.log.WithName("status")) })
	return group.Wait()
}

// awaitAPIServer waits until the API server answers, which managers require when they are made. Meanwhile the control plane is alive, and not ready.
func (p *program) awaitAPIServer(ctx context.Context) error {
	return backoff.AwaitAPIServer(ctx, p.clients.Discovery(), func(waiting context.Context) error {
		return p.serveHealth(waiting, func() error { return errors.New("not ready: waiting for the API server") })
	}, p.log.Logger)
}

func (p *program) serveHealth(ctx context.Context, notReady func() error) error {
	return health.Serve(ctx, health.Config{
		Address:  fmt.Sprintf(":%d", names.HealthPort),
		Handler:  p.http.Measure(health.Handler(p.registry, notReady), health.Paths()...),
		OnClosed: p.limits.CountClosed,
	})
}

// writeStatus competes for the Lease until ctx ends or a part of the program fails. It stops without delay, so that another
// replica acquires the Lease at once. A canary control plane never competes, and writes no status or Events without the Lease.
func (p *program) writeStatus(ctx, running context.Context) error {
	if !p.options.writeStatus {
		p.log.Info("policy status is written by the active control plane")
		return nil
	}
	leading, stop := context.WithCancel(running)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	return p.leader.Run(leading, p.clients, p.options.namespace, os.Getenv("CONTROLLER_POD_NAME"), p.log.WithName("status"))
}

// newProgram returns a program without its manager.
func newProgram(o options) (*program, error) {
	p := &program{options: o, log: logging.New(o.logLevel), registry: prometheus.NewRegistry(), leader: &status.Leader{}}
	p.loads = loadstats.NewStore(time.Now)
	p.traces = newTraces(o, p.log)
	p.addMetrics()
	ctrl.SetLogger(p.log.Logger)
	p.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var err error
	if p.authority, err = openAuthority(o, p.registry); err != nil {
		return nil, err
	}
	p.store = snapshot.NewStore(snapshot.Config{
		Certificates: certificateSource{p.authority.manager},
		Log:          p.log.WithName("store"), Metrics: p.registry, Now: time.Now, StartupPeriod: quarantineDelay, Jitter: rand.Float64,
		Traces: p.traces,
	})
	p.addDebug(func() (net.Listener, error) { return net.Listen("tcp", debugAddress()) })
	p.resync = controlplane.NewResync(p.store.Resync)
	p.authority.rotated, p.authority.rootChanged = p.store.CertificateRotated, p.store.RootChanged
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("the API server's address is not known: run in a cluster, or set KUBECONFIG: %w", err)
	}
	config.QPS, config.Burst = 50, 100
	// Watching deprecated policy kinds causes warnings on which readers of the log cannot act.
	config.WarningHandlerWithContext = rest.NoWarnings{}
	ages := feed.NewWatchAges(time.Now)
	p.registry.MustRegister(ages)
	config.Wrap(ages.Wrap)
	p.config = config
	if p.authority.requester, err = newRequester(config, o); err != nil {
		return nil, err
	}
	p.clients, err = kubernetes.NewForConfig(config)
	return p, err
}

// xdsServer creates the xDS server. It listens at once, so that a port conflict fails the start.
func (p *program) xdsServer() (*xds.Server, net.Listener, error) {
	certificate := certificate.NewRenamedServerCertificate(p.authority.manager, time.Now, p.authority.serverNames(p.options.trustDomain, names.ADSCommonName))
	server, err := xds.NewServer(xds.Config{
		Compatibility: compatibility.Current(),
		Store:         p.store,
		Authenticator: newAuthenticator(p.options, p.clients.Discovery().RESTClient()),
		TLS:           certificate.TLSConfig(),
		Log:           p.log.WithName("xds"),
		Metrics:       p.registry,
		Loads:         p.loads,
		Now:           time.Now,
	})
	if err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", names.ADSPort))
	return server, listener, err
}

// notReady returns why the control plane must not get new connections, or nil. stopping ends when it has to stop.
func (p *program) notReady(stopping context.Context) error {
	if stopping.Err() != nil {
		return errors.New("not ready: the control plane is stopping")
	}
	if !p.store.IsReady() {
		return errors.New("not ready: not all objects of the mesh have been read")
	}
	return nil
}
