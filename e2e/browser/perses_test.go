package browser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/operator/dashboards"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// TestPersesReadsDashboards has a real server of Perses migrate every dashboard for Grafana. It reads the JSON as Grafana does, and keeps the titles,
// charts and queries of panels and the variables.
func TestPersesReadsDashboards(t *testing.T) {
	lab.RequireFull(t)
	api := startPerses(t)
	for _, d := range dashboards.All() {
		text, err := dashboards.Grafana(d)
		if err != nil {
			t.Fatal(err)
		}
		want := contentOf(d)
		if diff := cmp.Diff(want, migrate(t, api, text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", d.File, diff)
		}
		// The server must not keep what it cannot read.
		for _, field := range []string{`"expr":`, `"title":`, `"targets":`} {
			if got := migrate(t, api, bytes.ReplaceAll(text, []byte(field), []byte(`"unknown":`))); cmp.Equal(want, got) {
				t.Errorf("%s arrives without %s", d.File, field)
			}
		}
	}
}

// content is what arrives of a dashboard: a line for each panel with its title, chart and queries, and one for each variable. Both are sorted.
type content struct{ Title, Panels, Variables string }

func newContent(title string, panels, variables []string) content {
	slices.Sort(panels)
	slices.Sort(variables)
	return content{title, strings.Join(panels, "\n"), strings.Join(variables, "\n")}
}

// charts are those of Perses by the kind of a panel. The server has no plugin for heatmaps and tables, and replaces them.
var charts = map[dashboards.Kind]string{dashboards.Lines: "TimeSeriesChart", dashboards.Number: "StatChart", dashboards.Heatmap: "Markdown", dashboards.Table: "Markdown"}

// contentOf returns what must arrive.
func contentOf(d dashboards.Dashboard) content {
	var panels, variables []string
	for _, row := range d.Rows {
		for _, p := range row.Panels {
			line := p.Title + ": " + charts[p.Kind]
			for _, q := range p.Queries {
				if charts[p.Kind] != "Markdown" {
					line += " " + q.Expr
				}
			}
			panels = append(panels, line)
		}
	}
	for _, v := range d.Variables {
		variables = append(variables, fmt.Sprintf("%s: %s %s", v.Name, v.Label, v.Selector))
	}
	return newContent(d.Title, panels, variables)
}

// migrated is what the test reads of a dashboard of Perses.
type migrated struct {
	Spec struct {
		Display struct{ Name string }
		Panels  map[string]struct {
			Spec struct {
				Display struct{ Name string }
				Plugin  struct{ Kind string }
				Queries []struct {
					Spec struct {
						Plugin struct{ Spec struct{ Query string } }
					}
				}
			}
		}
		Variables []struct {
			Spec struct {
				Name   string
				Plugin struct {
					Kind string
					Spec struct {
						LabelName string
						Matchers  []string
					}
				}
			}
		}
	}
}

// migrate returns what the server reads of a dashboard for Grafana.
func migrate(t *testing.T, api string, grafana []byte) content {
	t.Helper()
	code, answer := post(t, api+"/migrate", fmt.Appendf(nil, `{"grafanaDashboard": %s}`, grafana))
	if code != http.StatusOK {
		t.Fatalf("the server does not read the dashboard: %d %s", code, answer)
	}
	var page migrated
	if err := json.Unmarshal([]byte(answer), &page); err != nil {
		t.Fatal(err)
	}
	var panels, variables []string
	for _, p := range page.Spec.Panels {
		line := p.Spec.Display.Name + ": " + p.Spec.Plugin.Kind
		for _, q := range p.Spec.Queries {
			line += " " + q.Spec.Plugin.Spec.Query
		}
		panels = append(panels, line)
	}
	for _, v := range page.Spec.Variables {
		if plugin := v.Spec.Plugin; plugin.Kind == "PrometheusLabelValuesVariable" {
			variables = append(variables, fmt.Sprintf("%s: %s %s", v.Spec.Name, plugin.Spec.LabelName, strings.Join(plugin.Spec.Matchers, ",")))
		}
	}
	return newContent(page.Spec.Display.Name, panels, variables)
}

// startPerses returns the URL of the API of a server without authentication.
func startPerses(t *testing.T) string {
	t.Helper()
	repository, err := lab.FindRepository()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := repository.ToolOutput(t.Context(), "./cluster", "perses-path")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	dir := t.TempDir()
	config := map[string]any{
		"database": map[string]any{"file": map[string]any{"folder": filepath.Join(dir, "data"), "extension": "json"}},
		"plugin":   map[string]any{"path": filepath.Join(folder, "plugins"), "archive_path": filepath.Join(dir, "archive")},
		"security": map[string]any{"enable_auth": false},
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.yaml")
	for _, path := range []string{"data", "archive"} {
		if err := os.Mkdir(filepath.Join(dir, path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(folder, "perses"), "--config", file, "--web.listen-address", address)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the log of Perses:\n%s", &log)
		}
	})
	api := fmt.Sprintf("http://%s/api", address)
	eventually.True(t, 2*time.Minute, "Perses has loaded its plugins", func() bool {
		answer, err := http.Get(api + "/v1/plugins")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		return err == nil && strings.Count(string(body), `"isLoaded":true`) == 3
	})
	return api
}

// post returns the status and the body of an answer.
func post(t *testing.T, url string, body []byte) (int, string) {
	t.Helper()
	answer, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}
