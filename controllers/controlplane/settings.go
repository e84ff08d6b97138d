package controlplane

import (
	"context"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/changetrace"
	"github.com/openservicemesh/osm-operator/internal/controlplane/debug"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
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
		s.flags.WithLabelValues(flag).Set(boolGauge(on))
	}
	if err := s.traces.Configure(context.Background(), ingest.TracingServer(&mc.Spec, s.namespace)); err != nil {
		s.log.Error(err, "traces of changes are lost")
	}
	s.store.SetMaxConnections(mc.Spec.Sidecar.MaxDataPlaneConnections)
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
