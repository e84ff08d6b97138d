package drain

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"
)

// A gateway stops only after it has drained its listeners and its last request has ended.
func TestDrain_WaitsForRequests(t *testing.T) {
	var asked []string
	active := 2
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		if r.URL.Path == "/stats" {
			fmt.Fprintf(w, "http.mesh-http-conn-manager.rds-gateway.443|a.b.downstream_rq_active: %d\nhttp.mesh-http-conn-manager.rds-gateway.80.downstream_rq_active: 0\n", active)
			active--
		}
	}))
	defer admin.Close()
	d := drainer{admin: admin.URL, timeout: time.Hour, poll: time.Millisecond}
	if err := d.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := "[POST /drain_listeners GET /stats GET /stats GET /stats]"; fmt.Sprint(asked) != want {
		t.Errorf("Envoy got %v, want %s", asked, want)
	}
}

// A gateway waits for what it serves, and not for its own connections to servers and to the control plane.
func TestDrain_Statistics(t *testing.T) {
	selected := regexp.MustCompile(activeStatistics)
	for name, want := range map[string]bool{
		"http.mesh-http-conn-manager.rds-gateway.80.downstream_rq_active":          true,
		"http.mesh-http-conn-manager.rds-gateway.egress.0ab1.downstream_rq_active": true,
		"cluster.egress-tls.0ab1.api.example.com_443.upstream_cx_active":           true,
		"cluster.peer-gateway.east_15443.upstream_cx_active":                       true,
		"cluster.peer-gateway.web.shop_8080.upstream_cx_active":                    true,
		"cluster.peer-discovery.upstream_cx_active":                                false,
		"cluster.egress-http.0ab1.api.example.com_80.upstream_cx_active":           false,
		"cluster.osm-controller.upstream_cx_active":                                false,
		"http.mesh-http-conn-manager.rds-gateway.egress.0ab1.downstream_cx_active": false,
		"cluster.egress-tls.0ab1.api.example.com_443.upstream_cx_total":            false,
	} {
		if got := selected.MatchString(name); got != want {
			t.Errorf("%s is selected: %t, want %t", name, got, want)
		}
	}
}

// A request that never ends does not keep the pod for ever.
func TestDrain_EndsAfterTimeout(t *testing.T) {
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stats" {
			fmt.Fprintln(w, "http.a.downstream_rq_active: 1")
		}
	}))
	defer admin.Close()
	d := drainer{admin: admin.URL, timeout: 50 * time.Millisecond, poll: time.Millisecond}
	if err := d.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
}
