package bootstrap

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestOnlyBareGETRequestsPass sends what any pod can send to the port of a probe, and more than a probe does.
func TestOnlyBareGETRequestsPass(t *testing.T) {
	s := startSidecar(t, Probe{
		Kind: Liveness, Container: "app", Handler: HTTP, ListenPort: 15901, Port: 8080, Path: "/alive", TimeoutSeconds: 1, PeriodSeconds: 1,
	})
	s.configure(t)
	listener := s.pod.Listen(t, "127.0.0.1:8080")
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.String()) }))
	}()
	const url = "http://10.9.0.1:15901/osm-liveness-probe"
	if code, body := get(s.kubelet, url); code != http.StatusOK || body != "/alive" {
		t.Fatalf("a probe answers %d from %q, want 200 from the path of the application", code, body)
	}
	for name, request := range map[string]struct{ method, url, body string }{
		"a query": {http.MethodGet, url + "?delete=everything", ""},
		"a POST":  {http.MethodPost, url, ""},
		"a PUT":   {http.MethodPut, url, "x"},
		"a body":  {http.MethodGet, url, "x"},
	} {
		t.Run(name, func(t *testing.T) { s.checkNotFound(t, request.method, request.url, request.body) })
	}
}

func (s *sidecar) checkNotFound(t *testing.T, method, url, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.kubelet.HTTP().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("the request answers %d, want 404", response.StatusCode)
	}
}
