package cli

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestServersWithoutWebAssetsAreRecognized(t *testing.T) {
	for name, test := range map[string]struct {
		program string
		status  int
		body    string
		pages   bool
	}{
		"Prometheus with pages":    {"prometheus", http.StatusOK, `<!doctype html><div id="root"></div>`, true},
		"Prometheus without pages": {"prometheus", http.StatusInternalServerError, "Error opening React index.html: open static/mantine-ui/index.html: no such file or directory", false},
		"Jaeger without pages":     {"jaeger", http.StatusOK, "<h1>This is not the Jaeger UI you are looking for!</h1>", false},
		"a server that fails":      {"grafana", http.StatusServiceUnavailable, "starting", true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			defer server.Close()
			if got := dashboardPages[test.program].hasPages(t.Context(), server.URL); got != test.pages {
				t.Errorf("has pages: %v", got)
			}
		})
	}
	if !dashboardPages["jaeger"].hasPages(t.Context(), "http://127.0.0.1:1") {
		t.Error("a server that does not answer counts as one without pages")
	}
}
