package changetrace

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Limits of exports. Spans that the server does not take in time are lost.
const (
	exportTimeout   = 5 * time.Second
	shutdownTimeout = 2 * time.Second
)

// Exporter exports traces of changes while a server is configured. Create it with New. It is safe for concurrent use.
type Exporter struct {
	attributes []attribute.KeyValue
	open       func(context.Context, catalog.Tracing) (sdktrace.SpanExporter, error)

	provider atomic.Pointer[sdktrace.TracerProvider]

	mu      sync.Mutex
	current catalog.Tracing
}

// New returns an Exporter without a server. The attributes describe this process.
func New(attributes ...attribute.KeyValue) *Exporter {
	return &Exporter{attributes: attributes, open: openOTLP}
}

// openOTLP returns a client of a server. It connects in the background.
func openOTLP(ctx context.Context, server catalog.Tracing) (sdktrace.SpanExporter, error) {
	return otlptracegrpc.New(ctx,
		otlptracegrpc.WithEndpoint(net.JoinHostPort(server.Address, strconv.Itoa(int(server.Port)))), otlptracegrpc.WithInsecure(),
		otlptracegrpc.WithTimeout(exportTimeout), otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: false}))
}

// Configure selects the server that receives spans; nil for none. A server that receives Zipkin gets none.
func (e *Exporter) Configure(ctx context.Context, server *catalog.Tracing) error {
	desired := catalog.Tracing{}
	if server != nil && server.OTLP {
		desired = *server
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if desired == e.current {
		return nil
	}
	var next *sdktrace.TracerProvider
	if desired.OTLP {
		client, err := e.open(ctx, desired)
		if err != nil {
			return fmt.Errorf("traces of changes cannot be sent to %s: %w", desired.Address, err)
		}
		next = sdktrace.NewTracerProvider(
			sdktrace.WithBatcher(client, sdktrace.WithExportTimeout(exportTimeout)),
			sdktrace.WithSampler(sdktrace.TraceIDRatioBased(desired.Sampling/100)),
			sdktrace.WithResource(resource.NewSchemaless(e.attributes...)))
	}
	e.current = desired
	if earlier := e.provider.Swap(next); earlier != nil {
		go shutdown(earlier) //nolint:gosec // the last spans are sent after the change of the configuration
	}
	return nil
}

// Close sends the remaining spans.
func (e *Exporter) Close() {
	if earlier := e.provider.Swap(nil); earlier != nil {
		shutdown(earlier)
	}
}

// shutdown sends the remaining spans of a provider. Its errors go to OpenTelemetry's handler of errors.
func shutdown(provider *sdktrace.TracerProvider) {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	_ = provider.Shutdown(ctx)
}

// Enabled implements status.Exporter.
func (e *Exporter) Enabled() bool { return e.provider.Load() != nil }

// Export implements status.Exporter. The SDK queues the spans.
func (e *Exporter) Export(t status.Trace) {
	if provider := e.provider.Load(); provider != nil {
		record(provider.Tracer("github.com/openservicemesh/osm-operator"), t)
	}
}

// record creates the span of a change, and one for each stage. The change is complete, so the spans have times of the past.
func record(tracer trace.Tracer, t status.Trace) {
	ctx, change := tracer.Start(context.Background(), "change", trace.WithNewRoot(), trace.WithTimestamp(t.StartedAt), trace.WithAttributes(
		attribute.Int64("osm.change.number", int64(t.Number)),
		attribute.StringSlice("osm.change.objects", objects(t)),
		attribute.Int("osm.change.total", t.Total),
		attribute.Int("osm.change.scopes", t.Scopes),
		attribute.Int("osm.change.resources", t.Resources),
		attribute.Int("osm.change.sidecars", t.Streams),
		attribute.Int("osm.change.acknowledged", t.Acknowledged),
		attribute.Int("osm.change.rejected", t.Rejected),
		attribute.Int("osm.change.disconnected", t.Disconnected),
	))
	if t.Rejected > 0 {
		change.SetStatus(codes.Error, fmt.Sprintf("%d sidecars rejected the change", t.Rejected))
	}
	end := t.StartedAt.Add(t.Duration)
	at := t.StartedAt
	for stage := status.StageIngest; stage <= status.StageAcknowledge; stage++ {
		spent, reached := t.Stages[stage]
		if !reached {
			continue
		}
		// The last answer ends the change, so the stage of acknowledgements ends with it.
		if stage == status.StageAcknowledge {
			at = end.Add(-spent)
		}
		_, span := tracer.Start(ctx, stage.String(), trace.WithTimestamp(at))
		if at = at.Add(spent); at.After(end) {
			at = end
		}
		span.End(trace.WithTimestamp(at))
	}
	change.End(trace.WithTimestamp(end))
}

// objects names the changed objects as kubectl does.
func objects(t status.Trace) []string {
	return lists.Map(t.Objects, func(o status.TracedObject) string { return fmt.Sprintf("%s %s", o.Ref.Kind, o.Ref.Name) })
}
