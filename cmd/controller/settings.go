package main

import (
	"context"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/controlplane/debug"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// settings applies the parts of a MeshConfig outside xDS. Invalid values get their default, as in OSM, and the Mesh's
// conditions report them.
func (p *program) settings(mc *configv1alpha2.MeshConfig) {
	p.log.SetLevel(mc.Spec.Observability.OSMLogLevel)
	p.meshConfig.Store(mc)
	p.debug.Set(mc.Spec.Observability.EnableDebugServer)
	for flag, on := range debug.FeatureFlags(mc.Spec.FeatureFlags) {
		p.flags.WithLabelValues(flag).Set(boolGauge(on))
	}
	if err := p.traces.Configure(context.Background(), ingest.TracingServer(&mc.Spec, p.options.namespace)); err != nil {
		p.log.Error(err, "traces of changes are lost")
	}
	p.store.SetMaxConnections(mc.Spec.Sidecar.MaxDataPlaneConnections)
	interval, _ := ingest.ResyncInterval(&mc.Spec)
	p.resync.Set(interval)
	lifetime, problems := ingest.ServiceCertificateLifetime(&mc.Spec)
	for _, problem := range problems {
		p.log.Info("MeshConfig: "+problem.StatusMessage(), "reason", problem.Reason)
	}
	if lifetime > 0 {
		p.authority.manager.SetLifetime(lifetime)
	}
}
