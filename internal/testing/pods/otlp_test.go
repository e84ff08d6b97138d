package pods_test

import (
	"context"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"testing"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

const otlpPort = 4317

// otlpCollector is a server that receives traces of OpenTelemetry. It is safe for concurrent use.
type otlpCollector struct {
	collectorv1.UnimplementedTraceServiceServer
	mu sync.Mutex
	// spans are the spans with the attributes of their sidecars.
	spans []otlpSpan
}

type otlpSpan struct {
	*tracev1.Span
	attributes map[string]string
}

// Export implements the service of OpenTelemetry.
func (c *otlpCollector) Export(_ context.Context, request *collectorv1.ExportTraceServiceRequest) (*collectorv1.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, sidecar := range request.GetResourceSpans() {
		attributes := map[string]string{}
		for _, a := range sidecar.GetResource().GetAttributes() {
			attributes[a.GetKey()] = a.GetValue().GetStringValue()
		}
		for _, scope := range sidecar.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				c.spans = append(c.spans, otlpSpan{span, attributes})
			}
		}
	}
	return &collectorv1.ExportTraceServiceResponse{}, nil
}

// of returns the spans of a trace by their kind.
func (c *otlpCollector) of(trace string) map[tracev1.Span_SpanKind]otlpSpan {
	c.mu.Lock()
	defer c.mu.Unlock()
	byKind := map[tracev1.Span_SpanKind]otlpSpan{}
	for _, s := range c.spans {
		if hex.EncodeToString(s.GetTraceId()) == trace {
			byKind[s.GetKind()] = s
		}
	}
	return byKind
}

func (c *otlpCollector) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.spans)
}

func serveOTLP(t *testing.T, pod *pods.Pod) *otlpCollector {
	t.Helper()
	c, server := &otlpCollector{}, grpc.NewServer()
	collectorv1.RegisterTraceServiceServer(server, c)
	listener := pod.NS.Listen(t, nstest.Address(pod.IP.String(), otlpPort))
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return c
}

// TestTracingOverOTLP sends requests with and without a sampled trace. Spans name their sidecars, and no request waits for the server.
func TestTracingOverOTLP(t *testing.T) {
	t.Parallel()
	n := pods.NewNetwork(t)
	n.Env = []string{names.ResourceAttributesEnv + "=service.name=buyer.shop,k8s.namespace.name=shop,k8s.pod.name=buyer-0"}
	s := newShopIn(t, n)
	outside := s.network.Bare(t)
	c := serveOTLP(t, outside)
	client, server := s.clientScope(), s.serverScope()
	client.Tracing = &catalog.Tracing{Address: outside.IP.String(), Port: otlpPort, OTLP: true}
	server.Tracing = client.Tracing
	s.configure(t, client, server)
	const trace, unsampled, caller = "4bf92f3577b34da6a3ce929d0e0e4736", "5bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	call := func(headers ...string) http.Header {
		t.Helper()
		answer := s.client.Get(t, "http://"+webIP.String()+"/books/1", headers...)
		if answer.Status != http.StatusOK {
			t.Fatalf("status %d: %s", answer.Status, answer.Body)
		}
		return answer.Header
	}
	call("Traceparent: 00-" + unsampled + "-" + caller + "-00")
	call() // no trace begins: nothing is sampled at random
	if seen := call("Traceparent: 00-" + trace + "-" + caller + "-01").Get("Saw-Traceparent"); !strings.Contains(seen, trace) {
		t.Errorf("the application gets the trace %q, want %s", seen, trace)
	}
	eventually.True(t, spansTimeout, "client and server send a span each", func() bool { return len(c.of(trace)) == 2 })
	spans := c.of(trace)
	first, second := spans[tracev1.Span_SPAN_KIND_CLIENT], spans[tracev1.Span_SPAN_KIND_SERVER]
	if hex.EncodeToString(first.GetParentSpanId()) != caller || string(second.GetParentSpanId()) != string(first.GetSpanId()) {
		t.Errorf("the spans are not children of their callers: %v", spans)
	}
	for name, want := range map[string]string{"service.name": "buyer.shop", "k8s.namespace.name": "shop", "k8s.pod.name": "buyer-0"} {
		if first.attributes[name] != want {
			t.Errorf("the span has %v, want %s=%s", first.attributes, name, want)
		}
	}
	if c.count() != 2 {
		t.Errorf("%d spans arrived, want those of the sampled trace only", c.count())
	}

	// Every new trace is sampled, and none waits for the server.
	client.Tracing = &catalog.Tracing{Address: outside.IP.String(), Port: otlpPort, OTLP: true, Sampling: 100}
	s.configure(t, client, server)
	eventually.True(t, spansTimeout, "a trace begins at the client", func() bool { call(); return c.count() >= 4 })
	client.Tracing = &catalog.Tracing{Address: "192.0.2.1", Port: otlpPort, OTLP: true, Sampling: 100}
	s.configure(t, client, server)
	for range 20 {
		call()
	}
}
