package controlplane

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"

	"github.com/openservicemesh/osm-operator/internal/controlplane/changetrace"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

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
