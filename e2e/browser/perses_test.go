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
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/operator/dashboards"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// TestPersesAcceptsDashboards creates every dashboard in a real server of Perses, which validates panels and queries by the schemas of its plugins.
func TestPersesAcceptsDashboards(t *testing.T) {
	lab.RequireFull(t)
	api := startPerses(t)
	if code, answer := post(t, api+"/projects", []byte(`{"kind":"Project","metadata":{"name":"osm"},"spec":{}}`)); code != http.StatusOK {
		t.Fatalf("the project is not created: %d %s", code, answer)
	}
	for _, d := range dashboards.All() {
		text, err := dashboards.Perses(d, "osm")
		if err != nil {
			t.Fatal(err)
		}
		if code, answer := post(t, api+"/projects/osm/dashboards", text); code != http.StatusOK {
			t.Errorf("%s: %d %s", d.File, code, answer)
		}
		// The server must have the schemas: it refuses a field that they lack.
		unknown := bytes.Replace(bytes.Replace(text, []byte(`"query":`), []byte(`"unknown": 1, "query":`), 1), []byte(d.File), []byte("unknown"), 1)
		if code, answer := post(t, api+"/projects/osm/dashboards", unknown); code != http.StatusBadRequest || !strings.Contains(answer, "field not allowed") {
			t.Errorf("%s with an unknown field: %d %s, want 400", d.File, code, answer)
		}
	}
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
	api := fmt.Sprintf("http://%s/api/v1", address)
	eventually.True(t, 2*time.Minute, "Perses has loaded its plugins", func() bool {
		answer, err := http.Get(api + "/plugins")
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
