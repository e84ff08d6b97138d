package launch

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
)

// TestOverlay_FitsBootstrap lets both Envoys validate what osm-init renders together with what the launcher adds.
func TestOverlay_FitsBootstrap(t *testing.T) {
	if readyPath != bootstrap.ReadyPath {
		t.Errorf("the launcher asks for %s, and the sidecar answers at %s", readyPath, bootstrap.ReadyPath)
	}
	dir := t.TempDir()
	files, err := bootstrap.Render(bootstrap.Config{
		ProxyUUID: "7f7c1f0e", TrustDomain: "cluster.local", XDSHost: "127.0.0.1", XDSPort: 15128, ServiceAccount: "web", Namespace: "shop",
		PodIPs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, Dirs: bootstrap.Dirs{Config: dir, Token: dir, Trust: dir},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := os.WriteFile(filepath.Join(dir, file.Name), file.Content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{names.TokenFile, names.CABundleCert} {
		if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for version, program := range envoytest.Binaries(t) {
		out, err := exec.Command(program, "--mode", "validate", "--log-level", "error", "--config-path", filepath.Join(dir, bootstrap.BootstrapFile),
			"--config-yaml", overlay(names.StandbyContainer, 3, names.AdminPort, filepath.Join(dir, "admin"), filepath.Join(dir, "gate"), hasInclusions([]string{"--config-path", filepath.Join(dir, bootstrap.BootstrapFile)}))).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", version, err, out)
		}
	}
}

// TestWait_ReturnsOnceReady waits for a sidecar that is not ready at first.
func TestWait_ReturnsOnceReady(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked < 3 || r.URL.Path != bootstrap.ReadyPath {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	if err := waitFor(t.Context(), server.Listener.Addr().String(), time.Millisecond); err != nil || asked != 3 {
		t.Errorf("it asked %d times: %v", asked, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := waitFor(ended, "127.0.0.1:1", time.Millisecond); err == nil {
		t.Error("a sidecar that does not answer is ready")
	}
}
