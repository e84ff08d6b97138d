package changetrace

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

var (
	start  = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	change = status.Trace{
		Number: 7, StartedAt: start, Total: 1, Scopes: 2, Resources: 3, Streams: 4, Acknowledged: 3, Rejected: 1, Duration: 100 * time.Millisecond,
		Objects: []status.TracedObject{{Ref: entity.Ref{Kind: "TrafficTarget", Name: entity.Name{Namespace: "shop", Name: "cart"}}}},
		Stages: map[status.Stage]time.Duration{
			status.StageIngest: time.Millisecond, status.StageQueue: 2 * time.Millisecond, status.StageCatalog: 3 * time.Millisecond, status.StageScope: 4 * time.Millisecond,
			status.StageEnvoy: 5 * time.Millisecond, status.StagePush: 10 * time.Millisecond, status.StageAcknowledge: 60 * time.Millisecond,
		},
	}
	server = catalog.Tracing{Address: "jaeger.osm-system.svc", Port: 4317, OTLP: true, Sampling: 100}
)

// TestSpans exports a change to memory: the spans of the stages have the times of the trace, and belong to the change.
func TestSpans(t *testing.T) {
	memory := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(memory))
	record(provider.Tracer("test"), change)
	spans := memory.GetSpans()
	at := map[string][2]time.Duration{}
	root := spans[slices.IndexFunc(spans, func(s tracetest.SpanStub) bool { return s.Name == "change" })]
	for _, s := range spans {
		at[s.Name] = [2]time.Duration{s.StartTime.Sub(start), s.EndTime.Sub(start)}
		if s.Name != "change" && s.Parent.SpanID() != root.SpanContext.SpanID() {
			t.Errorf("the parent of %s is %s", s.Name, s.Parent.SpanID())
		}
	}
	for name, want := range map[string][2]time.Duration{"change": {0, 100}, "ingest": {0, 1}, "queue": {1, 3}, "catalog": {3, 6}, "scope": {6, 10}, "envoy": {10, 15}, "push": {15, 25}, "acknowledge": {40, 100}} {
		if got, want := at[name], ([2]time.Duration{want[0] * time.Millisecond, want[1] * time.Millisecond}); got != want {
			t.Errorf("%s from %s to %s, want from %s to %s", name, got[0], got[1], want[0], want[1])
		}
	}
	if len(spans) != 8 || root.Status.Code != codes.Error || !slices.Contains(root.Attributes, attribute.StringSlice("osm.change.objects", []string{"TrafficTarget shop/cart"})) {
		t.Errorf("%d spans, the change has the status %v and the attributes %v", len(spans), root.Status, root.Attributes)
	}
}

// receiver is a server of OTLP over gRPC.
type receiver struct {
	collectorv1.UnimplementedTraceServiceServer
	mu    sync.Mutex
	spans []*tracev1.Span
}

// Export implements the service.
func (r *receiver) Export(_ context.Context, request *collectorv1.ExportTraceServiceRequest) (*collectorv1.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range request.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			r.spans = append(r.spans, scope.Spans...)
		}
	}
	return &collectorv1.ExportTraceServiceResponse{}, nil
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.spans)
}

// TestReceiverGetsChanges configures a server of OTLP, exports a change and removes the server, which sends what remains.
func TestReceiverGetsChanges(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	received, grpcServer := &receiver{}, grpc.NewServer()
	collectorv1.RegisterTraceServiceServer(grpcServer, received)
	go func() { _ = grpcServer.Serve(listener) }()
	t.Cleanup(grpcServer.Stop)
	address := listener.Addr().(*net.TCPAddr)
	exporter := New(attribute.String("service.name", "osm-controller"))
	if err := exporter.Configure(t.Context(), &catalog.Tracing{Address: "127.0.0.1", Port: uint16(address.Port), OTLP: true, Sampling: 100}); err != nil {
		t.Fatal(err)
	}
	exporter.Export(change)
	exporter.Close()
	eventually.True(t, time.Minute, "the receiver has the spans of the change", func() bool { return received.count() == 8 })
}

// TestConfigure verifies when traces are exported, and that an unchanged server keeps its connection.
func TestConfigure(t *testing.T) {
	exporter, opened := New(), 0
	exporter.open = func(context.Context, catalog.Tracing) (sdktrace.SpanExporter, error) {
		opened++
		return tracetest.NewInMemoryExporter(), nil
	}
	zipkin := server
	zipkin.OTLP = false
	for _, step := range []struct {
		name    string
		server  *catalog.Tracing
		enabled bool
		opened  int
	}{
		{"tracing is disabled", nil, false, 0}, {"Zipkin", &zipkin, false, 0}, {"OTLP", &server, true, 1}, {"the same server", &server, true, 1}, {"disabled again", nil, false, 1},
	} {
		if err := exporter.Configure(t.Context(), step.server); err != nil {
			t.Fatal(err)
		}
		if exporter.Enabled() != step.enabled || opened != step.opened {
			t.Errorf("%s: enabled %t, %d clients; want %t, %d", step.name, exporter.Enabled(), opened, step.enabled, step.opened)
		}
		exporter.Export(change)
	}
}

// BenchmarkExport is what the export of a change costs the stream that completes it.
func BenchmarkExport(b *testing.B) {
	exporter := New()
	exporter.open = func(context.Context, catalog.Tracing) (sdktrace.SpanExporter, error) {
		return tracetest.NewNoopExporter(), nil
	}
	if err := exporter.Configure(b.Context(), &server); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(exporter.Close)
	b.ReportAllocs()
	for b.Loop() {
		exporter.Export(change)
	}
}
