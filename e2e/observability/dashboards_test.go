package observability

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/tour"
	"github.com/openservicemesh/osm-operator/internal/operator/dashboards"
)

// chosen are the values of variables that have one value at a time. The others have all.
var chosen = map[string]string{"mesh": "osm", "namespace": "bookbuyer", "source_namespace": "bookbuyer"}

// withValues replaces the variables of a dashboard in an expression, as Grafana does. $__rate_interval is four scrapes.
func withValues(d dashboards.Dashboard, expr string) string {
	pairs := []string{"$__rate_interval", "40s", "$__range", "5m"}
	for i := len(d.Variables) - 1; i >= 0; i-- { // $source_service before $source
		v := d.Variables[i]
		value := ".+"
		if !v.All {
			value = chosen[v.Name]
		}
		pairs = append(pairs, "$"+v.Name, value)
	}
	return strings.NewReplacer(pairs...).Replace(expr)
}

// testDashboards queries every panel that always has data, and every variable.
func testDashboards(t *testing.T) {
	// Panels about injection and pushes have data only after a pod was created. An earlier run may have created all others.
	pod, err := cluster.Pod(t.Context(), "bookthief", "app", "bookthief")
	lab.Must(t, err)
	lab.Must(t, cluster.Client.Delete(t.Context(), pod))
	lab.Must(t, cluster.Available(t.Context(), demoLimit, "bookthief"))
	server, err := tour.OpenServer(t.Context(), cluster)
	lab.Must(t, err)
	open := map[string]string{}
	for _, d := range dashboards.All() {
		for _, v := range d.Variables {
			if v.Name != "container" { // of cAdvisor, which the server does not scrape
				open[d.Title+": $"+v.Name] = withValues(d, fmt.Sprintf("count by (%s) (%s)", v.Label, v.Selector))
			}
		}
		for _, row := range d.Rows {
			for _, p := range row.Panels {
				for i, q := range p.Queries {
					if !p.Exceptional {
						open[fmt.Sprintf("%s: %s, query %d", d.Title, p.Title, i+1)] = withValues(d, q.Expr)
					}
				}
			}
		}
	}
	total := len(open)
	lab.Eventually(t, 2*time.Minute, "every panel has data", func(ctx context.Context) (bool, string, error) {
		for name, expr := range open {
			found, err := server.Query(ctx, expr)
			if err != nil {
				return false, "", fmt.Errorf("%s: %s: %w", name, expr, err)
			}
			if len(found) > 0 {
				delete(open, name)
			}
		}
		return len(open) == 0, fmt.Sprintf("no data for %d of %d: %v", len(open), total, open), nil
	})
}
