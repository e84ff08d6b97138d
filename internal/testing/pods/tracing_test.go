package pods_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

const (
	collectorPort = 9411
	// spansTimeout is the timeout for spans to arrive. Sidecars send them every five seconds.
	spansTimeout = 30 * time.Second
)

// span is a span in the JSON of Zipkin.
type span struct {
	TraceID  string `json:"traceId"`
	ID       string `json:"id"`
	ParentID string `json:"parentId"`
	Kind     string `json:"kind"`
	Local    struct {
		ServiceName string `json:"serviceName"`
	} `json:"localEndpoint"`
}

// collector is a server that receives traces. It is safe for concurrent use.
type collector struct {
	mu    sync.Mutex
	spans []span
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var spans []span
	if r.URL.Path != "/api/v2/spans" || json.NewDecoder(r.Body).Decode(&spans) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans = append(c.spans, spans...)
	w.WriteHeader(http.StatusAccepted)
}

// of returns the spans of a trace by their kind.
func (c *collector) of(trace string) map[string]span {
	c.mu.Lock()
	defer c.mu.Unlock()
	byKind := map[string]span{}
	for _, s := range c.spans {
		if s.TraceID == trace {
			byKind[s.Kind] = s
		}
	}
	return byKind
}

func (c *collector) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.spans)
}

func serveCollector(t *testing.T, pod *pods.Pod) *collector {
	t.Helper()
	c := &collector{}
	server := &http.Server{Handler: c}
	listener := pod.NS.Listen(t, nstest.Address(pod.IP.String(), collectorPort))
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return c
}

// TestTracing sends a request that belongs to a trace. Both sidecars continue it, and the application gets its headers.
func TestTracing(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	outside := s.network.Bare(t)
	c := serveCollector(t, outside)
	client, server := s.clientScope(), s.serverScope()
	client.Tracing = &catalog.Tracing{Address: outside.IP.String(), Port: collectorPort, Path: "/api/v2/spans"}
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
	seen := call("Traceparent: 00-" + trace + "-" + caller + "-01")
	for _, name := range []string{"Saw-Traceparent", "Saw-X-B3-Traceid"} {
		if !strings.Contains(seen.Get(name), trace) {
			t.Errorf("the application gets %q in %s, want the trace", seen.Get(name), name)
		}
	}
	eventually.True(t, spansTimeout, "client and server send a span each", func() bool { return len(c.of(trace)) == 2 })
	spans := c.of(trace)
	if spans["CLIENT"].ParentID != caller || spans["SERVER"].ParentID != spans["CLIENT"].ID {
		t.Errorf("the spans are not children of their callers: %+v", spans)
	}
	if c.count() != 2 {
		t.Errorf("%d spans arrived, want those of the sampled trace only", c.count())
	}

	// Every new trace is sampled, and none waits for the server.
	client.Tracing = &catalog.Tracing{Address: outside.IP.String(), Port: collectorPort, Path: "/api/v2/spans", Sampling: 100}
	s.configure(t, client, server)
	eventually.True(t, spansTimeout, "a trace begins at the client", func() bool { call(); return c.count() >= 4 })
	client.Tracing = &catalog.Tracing{Address: "192.0.2.1", Port: collectorPort, Path: "/api/v2/spans", Sampling: 100}
	s.configure(t, client, server)
	for range 20 {
		call()
	}
}
