package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	ctrl "sigs.k8s.io/controller-runtime"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/denials"
	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/mirror"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/xds"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/health"
	"github.com/openservicemesh/osm-operator/internal/platform/heap"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

// ControlPlane is the control plane of one mesh. Its fields are the parts that need no API server.
type ControlPlane struct {
	config    Config
	log       *logging.Logger
	metrics   processMetrics
	api       apiServer
	authority *authority
	store     *snapshot.Store
	// mirror is the mesh for what people are told about policies.
	mirror  *mirror.Mirror
	loads   *loadstats.Store
	denials *denials.Store
	// bridge is nil if sidecars of Open Service Mesh are not served.
	bridge   *xds.Bridge
	settings *settings
}

// New returns a control plane. It reads the CA Secret and finds the API server's address, but sends no request.
func New(config Config) (*ControlPlane, error) {
	log := logging.New(config.LogLevel)
	ctrl.SetLogger(log.Logger)
	metrics := newMetrics()
	until, err := parseBridgeUntil(config.BridgeUntil)
	if err != nil {
		return nil, err
	}
	directory := certificate.OpenDirectory(config.CADir, time.Now)
	root, err := directory.Load()
	if err != nil {
		return nil, err
	}
	api, err := newAPIServer(metrics.registry)
	if err != nil {
		return nil, err
	}
	requester, err := newRequester(config, api.config)
	if err != nil {
		return nil, err
	}
	traces := newTraces(config, log)
	certificates, store := newStore(config, root, requester, log, metrics.registry, traces)
	listenDebug := func() (net.Listener, error) { return net.Listen("tcp", config.Addresses.Debug) }
	var meshConfig atomic.Pointer[configv1alpha2.MeshConfig]
	denied := denials.NewStore(time.Now)
	metrics.registry.MustRegister(denials.NewCollector(denied, store.View))
	return &ControlPlane{
		config: config, log: log, metrics: metrics, api: api, store: store, mirror: mirror.New(), loads: loadstats.NewStore(time.Now), denials: denied,
		bridge:    newBridge(config, until, certificates, store, metrics.registry),
		authority: &authority{directory: directory, requester: requester, manager: certificates},
		settings: &settings{
			namespace: config.Namespace, log: log, flags: newFlagMetric(metrics.registry), traces: traces, store: store, certificates: certificates,
			resync: NewResync(store.Resync), meshConfig: &meshConfig,
			debug: newDebugServer(listenDebug, store, certificates, &meshConfig, log),
		},
	}, nil
}

// Config configures a control plane. All fields but Revision, WebhookClientCA and BridgeUntil are required.
type Config struct {
	// Mesh is the name of the mesh. Namespaces with this label value belong to it.
	Mesh string
	// Namespace is the namespace of the control plane and its MeshConfig.
	Namespace string
	// TrustDomain is the suffix of workload principals.
	TrustDomain string
	// Revision is the name of the MeshRevision that this process is part of.
	Revision string
	// PodName is the name of this replica's pod.
	PodName string
	// LogLevel is the log level until the MeshConfig is read.
	LogLevel string
	// CADir has the files of the mounted CA Secret.
	CADir string
	// Key is the kind of the workloads' keys.
	Key certificate.KeySpec
	// WebhookCertDir has tls.crt and tls.key of the validating webhook.
	WebhookCertDir string
	// WebhookClientCA has PEM certificates of authorities whose clients may connect to the webhook. Empty means any client.
	WebhookClientCA string
	// Addresses are where the servers listen.
	Addresses Addresses
	// BridgeUntil is until when sidecars of Open Service Mesh are served, in the format of RFC 3339; empty serves none.
	BridgeUntil string
	// WriteStatus lets this replica compete for the Lease for writing status and Events of policies.
	WriteStatus bool
}

// Addresses are where the servers of a control plane listen.
type Addresses struct {
	Health, XDS, Webhook, Report, Debug, Peers string
}

// DefaultAddresses returns the addresses that the objects of the operator expect. That of the debug server is on the loopback interface:
// kubectl port-forward reaches it, but no other pod does.
func DefaultAddresses() Addresses {
	return Addresses{
		Health: fmt.Sprintf(":%d", names.HealthPort), XDS: fmt.Sprintf(":%d", names.ADSPort), Webhook: fmt.Sprintf(":%d", names.ValidatorPort),
		Report: fmt.Sprintf(":%d", names.ReportPort), Debug: fmt.Sprintf("127.0.0.1:%d", names.DebugPort),
		Peers: fmt.Sprintf(":%d", names.PeerDiscoveryPort),
	}
}

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
	validator, err := c.newValidator()
	if err != nil {
		return err
	}
	definitions := traffic.NewDefinitions(mgr.GetRESTMapper(), mgr.GetAPIReader())
	writer, err := c.newStatusWriter(mgr, definitions)
	if err != nil {
		return err
	}
	c.log.Info("starting control plane", "version", version.Version, "mesh", c.config.Mesh, "namespace", c.config.Namespace, "revision", c.config.Revision)
	drainCtx, cancel := drainContext(ctx, propagationDelay)
	defer cancel()
	peers := c.newPeers(writer.leader)
	if err := peers.addStatus(mgr, definitions, writer.leader, c); err != nil {
		return err
	}
	return runAll(drainCtx,
		c.store.Run,
		c.mirror.Run,
		c.settings.resync.Run,
		func(running context.Context) error { return c.authority.run(running, c.log.WithName("certificates")) },
		mgr.Start,
		func(running context.Context) error {
			return c.readObjects(running, mgr, definitions, writer.events, peers)
		},
		peers.run,
		serveXDS,
		validator.run,
		func(running context.Context) error {
			return c.serveHealth(running, func() error { return c.notReady(ctx) })
		},
		c.settings.debug.Run,
		func(running context.Context) error { return c.serveReport(running, peers) },
		heap.ReturnUnused,
		c.newHandovers(mgr.GetClient()).run,
		func(running context.Context) error { return c.lead(ctx, running, writer.leader) },
		writer.events.Run,
		func(ctx context.Context) error {
			return writer.rejections.Run(ctx, writer.leader.Leading, c.log.WithName("status"))
		},
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

// propagationDelay is how long a stopping control plane still serves, until its endpoint is removed everywhere.
const propagationDelay = 5 * time.Second

// drainContext returns a context that ends the given delay after ctx, or when cancel is called.
func drainContext(ctx context.Context, delay time.Duration) (drainCtx context.Context, cancel context.CancelFunc) {
	drainCtx, cancel = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(delay, cancel) })
	return drainCtx, cancel
}

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

// startGCPercent is the garbage collector's target while all objects are read: garbage may be half of what is kept. Afterwards Go's default
// applies.
const startGCPercent = 50

// limitStartMemory keeps the memory for reading the first lists small. The returned function ends that, and gives what is left over back to
// the system: it is as large as the mesh, and later changes are small. GOGC overrides both.
func limitStartMemory() (end func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	usual := debug.SetGCPercent(startGCPercent)
	return func() {
		debug.SetGCPercent(usual)
		debug.FreeOSMemory()
	}
}
