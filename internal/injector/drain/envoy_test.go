package drain

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// gateway is an Envoy with one listener that answers by itself.
const gateway = `
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
static_resources:
  listeners:
  - name: gateway
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: rds-gateway.80
          route_config:
            virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: 200}}]}]
          http_filters:
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`

// TestDrain_StaysReady drains a real Envoy. Nodes send it connections of a load balancer while its readiness probe succeeds only.
func TestDrain_StaysReady(t *testing.T) {
	admin, clients := startGateway(t)
	if _, closes := get(t, clients); closes {
		t.Error("the gateway closes connections before it drains")
	}
	ended := make(chan error, 1)
	go func() {
		ended <- drainer{admin: admin, delay: time.Second, timeout: time.Minute, poll: 10 * time.Millisecond}.drain(t.Context())
	}()
	eventually.True(t, time.Second, "connections end after their requests", func() bool {
		_, closes := get(t, clients)
		return closes
	})
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
		if status, _ := get(t, admin+"/ready"); status != http.StatusOK {
			t.Fatalf("the readiness probe gets %d", status)
		}
		if status, _ := get(t, clients); status != http.StatusOK {
			t.Fatalf("a new connection gets %d", status)
		}
	}
}

// startGateway returns the URLs of the admin interface and of the listener.
func startGateway(t *testing.T) (admin, clients string) {
	t.Helper()
	dir := t.TempDir()
	config, address := filepath.Join(dir, "envoy.yaml"), filepath.Join(dir, "admin")
	if err := os.WriteFile(config, []byte(gateway), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(envoytest.Binary(t), "-c", config, "--admin-address-path", address, "--disable-hot-restart",
		"--concurrency", "1", "-l", "warning", "--drain-time-s", "30", "--drain-strategy", "immediate")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	eventually.True(t, 20*time.Second, "Envoy listens", func() bool {
		text, _ := os.ReadFile(address)
		admin = "http://" + string(text)
		response, err := http.Get(admin + "/listeners")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		_, listener, found := strings.Cut(strings.TrimSpace(string(body)), "::")
		clients = "http://" + listener
		return found
	})
	return admin, clients
}

// get sends a request over a connection of its own, and returns whether the server closes it.
func get(t *testing.T, url string) (status int, closes bool) {
	t.Helper()
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(fmt.Errorf("no answer: %w", err))
	}
	defer response.Body.Close()
	return response.StatusCode, response.Close
}
