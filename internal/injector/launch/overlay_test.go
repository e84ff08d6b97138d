package launch

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
)

// TestOverlay_FitsBootstrap lets both Envoys validate what osm-init renders together with what the launcher adds.
func TestOverlay_FitsBootstrap(t *testing.T) {
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
			"--config-yaml", overlay(names.StandbyContainer, 3, names.AdminPort, filepath.Join(dir, "admin"), filepath.Join(dir, "gate"))).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", version, err, out)
		}
	}
}
