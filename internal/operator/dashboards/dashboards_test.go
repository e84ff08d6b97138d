package dashboards_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/operator/dashboards"
	"github.com/openservicemesh/osm-operator/internal/testing/golden"
)

// TestGolden compares the JSON of each dashboard with testdata.
func TestGolden(t *testing.T) {
	for _, d := range dashboards.All() {
		t.Run(d.File, func(t *testing.T) {
			got, err := dashboards.Grafana(d)
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, filepath.Join("testdata", d.File+".json"), got)
		})
	}
}

// TestDashboardsOfOSMKeepTheirAddresses lists the uids, titles and variables that OSM's users have in links.
func TestDashboardsOfOSMKeepTheirAddresses(t *testing.T) {
	all := map[string]dashboards.Dashboard{}
	for _, d := range dashboards.All() {
		all[d.UID] = d
	}
	for uid, want := range map[string]struct {
		file, title string
		variables   []string
	}{
		"OSMControlPlaneMetrics":         {"osm-control-plane", "OSM Control Plane Metrics", []string{"source_namespace", "source_service"}},
		"OSMDataPlanePerformanceMetrics": {"osm-data-plane-performance", "OSM Data Plane Performance Metrics", []string{"namespace", "pod", "container"}},
		"OSMMeshAndEnvoyDetails":         {"osm-mesh-envoy-details", "OSM Mesh and Envoy Details", []string{"osm_controller_instance", "osm_injector_instance", "xds_path"}},
		"OSMPodToServiceMetrics":         {"osm-pod-to-service", "OSM Pod to Service Metrics", []string{"source_namespace", "source_pod"}},
		"OSMServiceToServiceMetrics":     {"osm-service-to-service", "OSM Service to Service Metrics", []string{"source_namespace", "source_service", "destination_service"}},
		"OSMWorkloadToServiceMetrics":    {"osm-workload-to-service", "OSM Workload to Service Metrics", []string{"source_namespace", "source_workload_kind", "source_workload_name"}},
		"OSMWorkloadToWorkloadMetrics":   {"osm-workload-to-workload", "OSM Workload to Workload Metrics", []string{"source_namespace", "source_workload_kind", "source_workload_name"}},
	} {
		d := all[uid]
		var variables []string
		for _, v := range d.Variables {
			variables = append(variables, v.Name)
		}
		if d.File != want.file || d.Title != want.title || !slices.Equal(variables, want.variables) {
			t.Errorf("%s: file %q, title %q, variables %v, want %+v", uid, d.File, d.Title, variables, want)
		}
	}
}

// TestDashboardsAreComplete verifies that names are unique, and that each panel has a query and each variable is used.
func TestDashboardsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range dashboards.All() {
		for _, name := range []string{"file " + d.File, "uid " + d.UID, "title " + d.Title} {
			if seen[name] {
				t.Errorf("two dashboards have the %s", name)
			}
			seen[name] = true
		}
		titles, text := map[string]bool{}, strings.Builder{}
		for _, row := range d.Rows {
			for _, p := range row.Panels {
				if p.Title == "" || titles[row.Title+p.Title] || len(p.Queries) == 0 {
					t.Errorf("%s: the panel %q of %q has no title, the title of another panel, or no query", d.File, p.Title, row.Title)
				}
				titles[row.Title+p.Title] = true
				for _, q := range p.Queries {
					text.WriteString(q.Expr)
				}
			}
		}
		for _, v := range d.Variables {
			text.WriteString(v.Selector)
		}
		for _, v := range d.Variables {
			operator := map[bool]string{true: "=~", false: "="}[v.All]
			if !strings.Contains(text.String(), `"$`+v.Name+`"`) && !strings.Contains(text.String(), `$`+v.Name+`|`) && !strings.Contains(text.String(), `|$`+v.Name) {
				t.Errorf("%s: nothing uses $%s", d.File, v.Name)
			}
			if found := regexp.MustCompile(`(=~?)"\$`+v.Name+`"`).FindAllStringSubmatch(text.String(), -1); slices.ContainsFunc(found, func(m []string) bool { return m[1] != operator }) {
				t.Errorf("%s: $%s needs %s", d.File, v.Name, operator)
			}
		}
	}
}
