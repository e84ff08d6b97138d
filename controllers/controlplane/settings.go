package controlplane

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/changetrace"
	"github.com/openservicemesh/osm-operator/internal/controlplane/debug"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

// settings has the parts of the control plane that a MeshConfig changes, beside xDS.
type settings struct {
	namespace    string
	log          *logging.Logger
	flags        *prometheus.GaugeVec
	traces       *changetrace.Exporter
	store        *snapshot.Store
	certificates *certificate.Manager
	resync       *Resync
	// meshConfig is the current MeshConfig, or nil. It enables debug.
	meshConfig *atomic.Pointer[configv1alpha2.MeshConfig]
	debug      *debug.Switch
}

// apply applies a MeshConfig. Invalid values get their default, as in OSM, and the Mesh's conditions report them.
func (s *settings) apply(mc *configv1alpha2.MeshConfig) {
	s.log.SetLevel(mc.Spec.Observability.OSMLogLevel)
	s.meshConfig.Store(mc)
	s.debug.Set(mc.Spec.Observability.EnableDebugServer)
	for flag, on := range debug.FeatureFlags(mc.Spec.FeatureFlags) {
		s.flags.WithLabelValues(flag).Set(map[bool]float64{true: 1}[on])
	}
	if err := s.traces.Configure(context.Background(), ingest.TracingServer(&mc.Spec, s.namespace)); err != nil {
		s.log.Error(err, "traces of changes are lost")
	}
	s.store.SetMaxConnections(mc.Spec.Sidecar.MaxDataPlaneConnections)
	s.store.SetOwnAddresses(mc.Spec.Sidecar.SourceAddresses == configv1alpha2.SourceAddressesOwn)
	interval, _ := ingest.ResyncInterval(&mc.Spec)
	s.resync.Set(interval)
	s.setLifetime(mc)
}

func (s *settings) setLifetime(mc *configv1alpha2.MeshConfig) {
	lifetime, problems := ingest.ServiceCertificateLifetime(&mc.Spec)
	for _, problem := range problems {
		s.log.Info("MeshConfig: "+problem.StatusMessage(), "reason", problem.Reason)
	}
	if lifetime > 0 {
		s.certificates.SetLifetime(lifetime)
	}
}

// Resync calls a function periodically, at an interval that can change at any time.
type Resync struct {
	act      func()
	interval chan time.Duration
}

// NewResync returns a Resync that calls act. It is idle until Set is called.
func NewResync(act func()) *Resync { return &Resync{act: act, interval: make(chan time.Duration, 1)} }

// Set changes the interval; 0 disables the calls. It does not block, and must be called from one goroutine only.
func (r *Resync) Set(interval time.Duration) {
	select {
	case <-r.interval: // replaces a value that Run has not received yet
	default:
	}
	r.interval <- interval
}

// Run calls the function until ctx ends. Setting the same interval again does not restart the current wait.
func (r *Resync) Run(ctx context.Context) error {
	var current time.Duration
	ticker := time.NewTicker(time.Hour)
	ticker.Stop()
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			r.act()
		case interval := <-r.interval:
			switch {
			case interval == current:
			case interval > 0:
				ticker.Reset(interval)
			default:
				ticker.Stop()
			}
			current = interval
		}
	}
}

// newTraces returns the exporter of traces of changes. The MeshConfig selects its server. A server that is away causes an error every few
// seconds, so errors are logged at the level debug.
func newTraces(config Config, log *logging.Logger) *changetrace.Exporter {
	tracing := log.WithName("traces")
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { tracing.V(1).Info("traces of changes are lost", "error", err.Error()) }))
	return changetrace.New(
		attribute.String("service.name", names.Controller), attribute.String("service.namespace", config.Namespace),
		attribute.String("service.instance.id", config.PodName), attribute.String("service.version", version.Version),
		attribute.String("osm.mesh", config.Mesh))
}
