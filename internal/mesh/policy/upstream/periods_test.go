package upstream

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/testing/ingesttest"
)

// TestShortPeriods checks that a Service's settings cannot keep the sidecars of all its clients busy.
func TestShortPeriods(t *testing.T) {
	got, problems := Read(ingesttest.Object(t, `host: web.shop.svc.cluster.local
connectionSettings: {tcp: {connectTimeout: 1ns, idleTimeout: 1ms}, http: {requestTimeout: 1us, idleTimeout: 999ms}}
outlierDetection: {interval: 1ns, baseEjectionTime: 1ns}
healthCheck: {interval: 1ns, timeout: 1ns}`))
	if got == nil {
		t.Fatalf("there is no setting, with the problems %v", problems)
	}
	for field, d := range map[string]time.Duration{
		"tcp.idleTimeout": got.Connections.TCPIdleTimeout, "http.idleTimeout": got.Connections.HTTPIdleTimeout,
		"outlierDetection.interval": got.OutlierDetection.Interval, "outlierDetection.baseEjectionTime": got.OutlierDetection.BaseEjectionTime,
		"healthCheck.interval": got.HealthCheck.Interval,
	} {
		if d != time.Second {
			t.Errorf("%s is %s, want 1s", field, d)
		}
	}
	for field, d := range map[string]time.Duration{
		"connectTimeout": got.Connections.ConnectTimeout, "requestTimeout": got.Connections.RequestTimeout, "healthCheck.timeout": got.HealthCheck.Timeout,
	} {
		if d != 10*time.Millisecond {
			t.Errorf("%s is %s, want 10ms", field, d)
		}
	}
	if len(problems) != 8 {
		t.Errorf("there are %d problems, want one for each field: %v", len(problems), problems)
	}
}

// TestLongIdleTimeouts checks that only authors of settings for sidecars are warned: no server outside the mesh drains a connection that it keeps.
func TestLongIdleTimeouts(t *testing.T) {
	for _, test := range []struct {
		host, idle string
		warned     bool
	}{
		{"web.shop.svc.cluster.local", "21s", true}, {"web.shop.svc.cluster.local", "20s", false}, {"api.example.com", "1h", false},
	} {
		_, problems := Read(ingesttest.Object(t, "host: "+test.host+"\nconnectionSettings: {http: {idleTimeout: "+test.idle+"}}"))
		warned := slices.ContainsFunc(problems, func(p ingest.Problem) bool { return strings.Contains(p.Message, "counts as 20s") })
		if warned != test.warned {
			t.Errorf("%s for %s: warned is %t, want %t: %v", test.idle, test.host, warned, test.warned, problems)
		}
	}
}
