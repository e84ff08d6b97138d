package pods_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collogsv1 "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	logsv1 "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/grpc"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

const otlpLogPort = 4317

// logCollector is an OpenTelemetry collector of logs.
type logCollector struct {
	collogsv1.UnimplementedLogsServiceServer

	mu      sync.Mutex
	records []*logsv1.LogRecord
	// services are the names of the services of resources with records.
	services map[string]bool
}

func (c *logCollector) Export(_ context.Context, r *collogsv1.ExportLogsServiceRequest) (*collogsv1.ExportLogsServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range r.GetResourceLogs() {
		for _, attribute := range resource.GetResource().GetAttributes() {
			if attribute.GetKey() == "service.name" {
				c.services[attribute.GetValue().GetStringValue()] = true
			}
		}
		for _, scope := range resource.GetScopeLogs() {
			c.records = append(c.records, scope.GetLogRecords()...)
		}
	}
	return &collogsv1.ExportLogsServiceResponse{}, nil
}

// hasService reports whether a record is of the sidecars of a service.
func (c *logCollector) hasService(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.services[name]
}

// has reports whether a record has a body and attributes, as "<body> <key>=<value>...".
func (c *logCollector) has(want string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.records, func(r *logsv1.LogRecord) bool {
		text := r.GetBody().GetStringValue()
		for _, attribute := range r.GetAttributes() {
			text += fmt.Sprintf(" %s=%s", attribute.GetKey(), attribute.GetValue().GetStringValue())
		}
		return text == want
	})
}

func serveLogCollector(t *testing.T, pod *pods.Pod) *logCollector {
	t.Helper()
	c := &logCollector{services: map[string]bool{}}
	server := grpc.NewServer()
	collogsv1.RegisterLogsServiceServer(server, c)
	listener := pod.NS.Listen(t, nstest.Address(pod.IP.String(), otlpLogPort))
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return c
}

// A Telemetry changes the lines of the log, selects them, exports them, and turns log and metrics off, with both supported versions of Envoy. Without the collector,
// requests are not affected.
func TestTelemetry(t *testing.T) {
	t.Parallel()
	for version, binary := range envoytest.Binaries(t) {
		t.Run(version, func(t *testing.T) { testTelemetry(t, binary, version == envoytest.BinaryVariable) })
	}
}

// testTelemetry also checks whether exported records name their service, which the earlier version does not support.
func testTelemetry(t *testing.T, binary string, namesService bool) {
	t.Parallel()
	s := measuredShop(t, binary, names.ResourceAttributesEnv+"=service.name=books.shop")
	outside := s.network.Bare(t)
	export := &telemetry.Export{
		Service:    catalog.ExtensionService{Name: entity.Name{Namespace: "shop", Name: "otel"}, Address: outside.IP.String(), Port: otlpLogPort},
		Attributes: map[string]string{"team": "books"},
	}
	configure := func(log *telemetry.AccessLog) {
		t.Helper()
		server := s.serverScope()
		server.AccessLog = log
		s.configure(t, s.clientScope(), server)
	}
	get := func(path string, status int) {
		t.Helper()
		if answer := s.client.Get(t, "http://"+webIP.String()+path); answer.Status != status {
			t.Fatalf("%s answers %v, want %d", path, answer, status)
		}
	}
	configure(&telemetry.AccessLog{Text: "line of %REQ(:PATH)% %RESPONSE_CODE%", Filter: "response.code >= 400", Export: export})
	get("/books/away", 200) // nobody listens to the collector's port
	collected := serveLogCollector(t, outside)
	get("/books/good", 200)
	get("/books/500", 500)
	s.awaitLine(t, "line of /books/500 500")
	for _, line := range s.logLines(t, "server") {
		if strings.Contains(line, "/books/good") || strings.Contains(line, "/books/away") {
			t.Errorf("the filter selects %q", line)
		}
	}
	eventually.True(t, 20*time.Second, "the collector has the record with its attribute", func() bool {
		get("/books/500", 500)
		return collected.has("line of /books/500 500 team=books")
	})
	if has := collected.hasService("books.shop"); has != namesService {
		t.Errorf("the resource of records names the service: %t", has)
	}

	configure(&telemetry.AccessLog{Fields: map[string]string{"path": "%REQ(:PATH)%", "by": envoyDenial()}, Export: export})
	eventually.True(t, 20*time.Second, "the collector has the keys as attributes", func() bool {
		get("/admin", 403)
		return collected.has(" by=no policy path=/admin team=books")
	})
	s.awaitLog(t, "server", map[string]any{"path": "/admin", "by": "no policy"})

	configure(&telemetry.AccessLog{Filter: "false", Metrics: telemetry.NoMetrics})
	var before []string
	eventually.True(t, 20*time.Second, "connections of the earlier configuration have ended", func() bool {
		before = s.countedRequests(t)
		get("/books/drained", 200)
		return slices.Equal(before, s.countedRequests(t))
	})
	for range 3 {
		get("/books/silent", 200)
	}
	if after := s.countedRequests(t); !slices.Equal(before, after) {
		t.Errorf("without metrics, %q became %q", before, after)
	}

	configure(nil)
	eventually.True(t, 20*time.Second, "the default format is back", func() bool {
		get("/books/last", 200)
		return slices.ContainsFunc(s.logLines(t, "server"), func(line string) bool {
			return strings.Contains(line, "/books/last") && strings.Contains(line, envoy.DeniedByKey)
		})
	})
	if slices.ContainsFunc(s.logLines(t, "server"), func(line string) bool { return strings.Contains(line, "/books/silent") }) {
		t.Error("the log has a request while it is off")
	}
	if slices.Equal(before, s.countedRequests(t)) {
		t.Errorf("requests with metrics are not counted: %q", before)
	}
}

// countedRequests returns the counters of requests of the server.
func (s *shop) countedRequests(t *testing.T) []string {
	t.Helper()
	var list []string
	for line := range strings.Lines(s.server.Admin(t, "/stats/prometheus")) {
		if strings.HasPrefix(line, "envoy_osm_inbound_request_total") {
			list = append(list, line)
		}
	}
	return list
}

// envoyDenial is the expression that docs/observability.md recommends for formats of users.
func envoyDenial() string {
	return "%CEL(response.code_details.startsWith('rbac_access_denied') ? 'no policy' : '')%"
}

func (s *shop) awaitLine(t *testing.T, want string) {
	t.Helper()
	eventually.True(t, 20*time.Second, "the log has the line "+want, func() bool { return slices.Contains(s.logLines(t, "server"), want) })
}
