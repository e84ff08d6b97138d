package controlplane

import (
	"net"
	"sync/atomic"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
)

// ControlPlane is the control plane of one mesh. Its fields are the parts that need no API server.
type ControlPlane struct {
	config    Config
	log       *logging.Logger
	metrics   processMetrics
	api       apiServer
	authority *authority
	store     *snapshot.Store
	loads     *loadstats.Store
	settings  *settings
}

// New returns a control plane. It reads the CA Secret and finds the API server's address, but sends no request.
func New(config Config) (*ControlPlane, error) {
	log := logging.New(config.LogLevel)
	ctrl.SetLogger(log.Logger)
	metrics := newMetrics()
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
	return &ControlPlane{
		config: config, log: log, metrics: metrics, api: api, store: store, loads: loadstats.NewStore(time.Now),
		authority: &authority{directory: directory, requester: requester, manager: certificates},
		settings: &settings{
			namespace: config.Namespace, log: log, flags: newFlagMetric(metrics.registry), traces: traces, store: store, certificates: certificates,
			resync: NewResync(store.Resync), meshConfig: &meshConfig,
			debug: newDebugServer(listenDebug, store, certificates, &meshConfig, log),
		},
	}, nil
}
