package dashboards_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus/rules"
	"github.com/openservicemesh/osm-operator/internal/operator/dashboards"
	"github.com/openservicemesh/osm-operator/internal/testing/promtest"
)

// expressions returns the queries of all panels, and a query for each variable.
func expressions() []string {
	var all []string
	for _, d := range dashboards.All() {
		for _, row := range d.Rows {
			for _, p := range row.Panels {
				for _, q := range p.Queries {
					all = append(all, q.Expr)
				}
			}
		}
		for _, v := range d.Variables {
			all = append(all, fmt.Sprintf("count by (%s) (%s)", v.Label, v.Selector))
		}
	}
	return all
}

// TestQueriesAreValid lets Prometheus parse every query, as recording rules.
func TestQueriesAreValid(t *testing.T) {
	server := os.Getenv(promtest.BinaryVariable)
	if server == "" {
		t.Fatalf("%s is not set: this test runs promtool, which is in the folder of the Prometheus binary", promtest.BinaryVariable)
	}
	group := rules.Group{Name: "queries"}
	for i, expr := range expressions() {
		expr = strings.NewReplacer("$__rate_interval", "1m", "$__range", "1h").Replace(expr)
		group.Rules = append(group.Rules, rules.Rule{Record: fmt.Sprintf("query:%d", i), Expr: expr})
	}
	text, err := yaml.Marshal(rules.File{Groups: []rules.Group{group}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(filepath.Dir(server), "promtool"), "check", "rules", path).CombinedOutput()
	if want := fmt.Sprintf("%d rules found", len(group.Rules)); err != nil || !strings.Contains(string(out), want) {
		t.Errorf("promtool: %v, want %s:\n%s", err, want, out)
	}
}

// healthyTest has requests that all succeed.
const healthyTest = `
tests:
- interval: 15s
  input_series:
  - {series: 'osm_request_total{mesh="osm", response_code="200"}', values: '0+15x20'}
  promql_expr_test:
  - {eval_time: 5m, expr: %q, exp_samples: [{labels: '{}', value: 0}]}
`

// TestErrorRateOfHealthyMesh evaluates the panel of the rollout. Without failed requests the rate is 0, and not absent.
func TestErrorRateOfHealthyMesh(t *testing.T) {
	server := os.Getenv(promtest.BinaryVariable)
	if server == "" {
		t.Fatalf("%s is not set: this test runs promtool, which is in the folder of the Prometheus binary", promtest.BinaryVariable)
	}
	i := slices.IndexFunc(dashboards.All(), func(d dashboards.Dashboard) bool { return d.UID == "OSMRollout" })
	var expr string
	for _, row := range dashboards.All()[i].Rows {
		for _, p := range row.Panels {
			if p.Title == "Failed requests" {
				expr = strings.NewReplacer("$__rate_interval", "1m", "$mesh", "osm").Replace(p.Queries[0].Expr)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "test.yml")
	if err := os.WriteFile(path, fmt.Appendf(nil, healthyTest, expr), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(filepath.Join(filepath.Dir(server), "promtool"), "test", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v:\n%s", err, out)
	}
}

// libraryMetrics are those that the Go libraries of the control plane and the nodes add.
var libraryMetrics = []string{
	"process_cpu_seconds_total", "process_resident_memory_bytes", "go_goroutines", "container_cpu_usage_seconds_total", "container_memory_rss",
}

// envoyMetrics are statistics that sidecars keep with the setting Essential, as TestEssentialStatistics verifies.
var envoyMetrics = regexp.MustCompile(`^envoy_(server_(live|concurrency|total_connections|memory_.*)|control_plane_connected_state|cluster_upstream_(rq|cx)_.*)$`)

// TestMetricsAreDocumented verifies that each metric in a query is one that docs/observability.md lists, or one of Envoy.
func TestMetricsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	metric := regexp.MustCompile(`\b((?:osm|envoy|process|container|go)_[a-z0-9_]+)\b(?:[{\[) ]|$)`)
	labels := regexp.MustCompile(`by \([^)]*\)|"[^"]*"`)
	for _, expr := range expressions() {
		names := metric.FindAllStringSubmatch(labels.ReplaceAllString(expr, ""), -1)
		if len(names) == 0 {
			t.Errorf("no metric in %s", expr)
		}
		for _, found := range names {
			name := regexp.MustCompile(`_(bucket|count)$`).ReplaceAllString(found[1], "")
			documented := strings.Contains(string(page), "`"+name+"`") || strings.Contains(string(page), "`"+found[1]+"`")
			if !documented && !envoyMetrics.MatchString(name) && !slices.Contains(libraryMetrics, name) {
				t.Errorf("%s is not a metric of the mesh, in %s", name, expr)
			}
		}
	}
}
