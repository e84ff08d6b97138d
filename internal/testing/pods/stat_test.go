package pods_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/cli/stat"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/promtest"
)

// TestStat reads the traffic of real sidecars from a real Prometheus.
func TestStat(t *testing.T) {
	t.Parallel()
	s := measuredShop(t, envoytest.Binary(t))
	s.stranger = s.network.Bare(t)
	address := promtest.Start(t, s.stranger.NS, nstest.Address(s.server.IP.String(), names.PrometheusPort))
	client := prometheus.New(s.stranger.NS.Dial)
	read := func(group stat.Group, namespace string) []stat.Row {
		t.Helper()
		rows, err := stat.Read(t.Context(), client, prometheus.Target{Address: address}, stat.Query{Group: group, Namespace: namespace, Window: 10 * time.Second, At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	var last []stat.Row
	eventually.True(t, 30*time.Second, "the server has requests, of which a policy denies some", func() bool {
		for _, path := range []string{"/books/1", "/admin"} {
			s.client.Get(t, "http://"+webIP.String()+path)
		}
		queryDatabase(t, s.client)
		last = read(stat.Workloads, "shop")
		return len(last) == 1 && last[0].Denied > 0 && last[0].Denied < last[0].Requests && last[0].Connections > 0 && last[0].P50 != nil && last[0].P99 != nil
	})
	if r := last[0]; r.Namespace != "shop" || r.Kind == "" || r.Name == "" || r.Success == nil || *r.Success != 1 || *r.P50 > *r.P99 {
		t.Errorf("the row is %+v", r)
	}
	var services []string
	for _, r := range read(stat.Services, "") {
		services = append(services, fmt.Sprintf("%s %s/%s", r.Kind, r.Namespace, r.Name))
	}
	if len(services) == 0 || services[len(services)-1] != "Service shop/web" {
		t.Errorf("the Services are %v, want web as the last one", services)
	}
	routes := map[string]stat.Row{}
	for _, r := range read(stat.Routes, "shop") {
		routes[r.Name+" "+r.Route] = r
	}
	for route, denied := range map[string]bool{"web GET /books/.*": false, "web /admin": true} {
		if r, found := routes[route]; !found || r.Requests == 0 || r.P99 == nil || (r.Denied > 0) != denied {
			t.Errorf("%s: %+v, want requests, denied %t; the routes are %v", route, r, denied, routes)
		}
	}
	if rows := read(stat.Workloads, "elsewhere"); len(rows) > 0 {
		t.Errorf("another namespace has %+v", rows)
	}
}
