package sidecartable

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTables reads answers of Envoy 1.40.
func TestTables(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		want   [][]string
	}{
		"routes": {
			`{"configs": [
			{"@type": "x", "route_config": {"name": "rds-outbound.80|shop/web", "virtual_hosts": [{"name": "web", "routes": [
				{"match": {"prefix": "/a", "headers": [{"name": ":method"}]}, "route": {"cluster": "shop/web|8080"}},
				{"match": {"safe_regex": {"regex": "/v[12]"}}, "route": {"weighted_clusters": {"clusters": [{"name": "one", "weight": 90}, {"name": "two", "weight": 10}]}}},
				{"match": {"prefix": ""}, "direct_response": {"status": 404}}]}]}},
			{"route_config": {"name": "a", "virtual_hosts": [{"name": "b", "routes": [{"match": {"path": "/old"}, "redirect": {"host_redirect": "c"}}, {"match": {}}]}]}}]}`,
			[][]string{
				{"a", "b", "path /old", "redirect"},
				{"a", "b", "any path", "-"},
				{"rds-outbound.80|shop/web", "web", "prefix /a, header :method", "shop/web|8080"},
				{"rds-outbound.80|shop/web", "web", "regex /v[12]", "one (weight 90), two (weight 10)"},
				{"rds-outbound.80|shop/web", "web", "any path", "status 404"},
			},
		},
		"endpoints": {
			`{"cluster_statuses": [
			{"name": "shop/web|8080", "host_statuses": [
				{"address": {"socket_address": {"address": "10.0.0.1", "port_value": 8080}}, "health_status": {"eds_health_status": "HEALTHY"}},
				{"address": {"socket_address": {"address": "10.0.0.2", "port_value": 8080}}, "health_status": {"eds_health_status": "DRAINING"}},
				{"address": {"socket_address": {"address": "10.0.0.3", "port_value": 8080}}, "health_status": {"eds_health_status": "HEALTHY", "failed_outlier_check": true}}]},
			{"name": "empty"},
			{"name": "sds", "host_statuses": [{"address": {"pipe": {"path": "/run/sds"}}, "health_status": {"failed_active_health_check": true}}]}]}`,
			[][]string{
				{"empty", "-", "no endpoint"},
				{"sds", "/run/sds", "fails its health check"},
				{"shop/web|8080", "10.0.0.1:8080", "healthy"},
				{"shop/web|8080", "10.0.0.2:8080", "draining"},
				{"shop/web|8080", "10.0.0.3:8080", "ejected after failures"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := Queries()[name].Table(strings.NewReader(tt.answer))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, table.Rows); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTables_NotJSON(t *testing.T) {
	for _, name := range Names() {
		if _, err := Queries()[name].Table(strings.NewReader("no")); err == nil || !strings.Contains(err.Error(), name+" of the sidecar cannot be read") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
