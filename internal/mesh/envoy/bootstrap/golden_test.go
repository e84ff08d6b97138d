package bootstrap

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/golden"
)

func plainConfig() Config {
	return Config{
		ProxyUUID:      "7f7c1f0e-6a8d-4a52-9d0b-3f4c5b6a7d8e",
		TrustDomain:    "cluster.local",
		Revision:       "osm-v0-1-0",
		XDSHost:        "osm-controller.osm-system.svc.cluster.local",
		XDSPort:        15128,
		ServiceAccount: "bookbuyer",
		Namespace:      "bookbuyer-ns",
		PodIPs:         []netip.Addr{netip.MustParseAddr("10.244.0.7")},
		Dirs:           DefaultDirs(),
	}
}

func with(change func(*Config)) Config {
	c := plainConfig()
	change(&c)
	return c
}

// goldenCases cover one behaviour each.
func goldenCases() map[string]Config {
	http := Probe{Kind: Liveness, Container: "app", Handler: HTTP, ListenPort: 15901, Port: 8080, Path: "/alive?full=1", TimeoutSeconds: 3, PeriodSeconds: 10}
	tcp := Probe{Kind: Readiness, Container: "app", Handler: TCP, ListenPort: 15902, Port: 3306, TimeoutSeconds: 1, PeriodSeconds: 10}
	grpc := Probe{Kind: Startup, Container: "app", Handler: GRPC, ListenPort: 15903, Port: 9000, TimeoutSeconds: 1, PeriodSeconds: 1}
	https := http
	https.Container, https.Handler, https.Port, https.Path = "secure", HTTPS, 8443, "/healthz"
	warm := Probe{Kind: PostStart, Container: "app", Handler: HTTP, ListenPort: 15906, Port: 8080, Path: "/warm?all=1"}
	leave := Probe{Kind: PreStop, Container: "app", Handler: HTTPS, ListenPort: 15906, Port: 8443, Path: "/drain"}
	second, third := http, grpc
	second.Container, second.Port, second.Path = "web", 8081, "/"
	third.Kind, third.Container, third.ListenPort = Liveness, "secure", 15906
	return map[string]Config{
		"plain":                plainConfig(),
		"dual-stack":           with(func(c *Config) { c.PodIPs = append(c.PodIPs, netip.MustParseAddr("fd00::7")) }),
		"zone":                 with(func(c *Config) { c.Region, c.Zone = "north", "north-2" }),
		"metrics":              with(func(c *Config) { c.Metrics = true }),
		"all-statistics":       with(func(c *Config) { c.Statistics = AllStatistics }),
		"probe-http":           with(func(c *Config) { c.Probes = []Probe{http} }),
		"probe-tcp":            with(func(c *Config) { c.Probes = []Probe{tcp} }),
		"probe-two-containers": with(func(c *Config) { c.Probes = []Probe{second, http} }),
		"probe-https":          with(func(c *Config) { c.Probes = []Probe{http, https} }),
		"probe-grpc":           with(func(c *Config) { c.Probes = []Probe{grpc} }),
		"hooks":                with(func(c *Config) { c.Probes = []Probe{http, warm, leave} }),
		"memory-limit":         with(func(c *Config) { c.Memory = 128 << 20 }),
		"gateway": with(func(c *Config) {
			c.Gateway, c.Limits = true, GatewayLimits{Memory: 512 << 20, Listeners: []string{"gateway_443", "gateway_80"}}
		}),
		"gateway-unlimited": with(func(c *Config) { c.Gateway, c.Limits = true, GatewayLimits{Listeners: []string{"egress-gateway"}} }),
		"probe-extra-port":  with(func(c *Config) { c.Probes = []Probe{http, third} }),
	}
}

func TestGolden(t *testing.T) {
	for name, config := range goldenCases() {
		t.Run(name, func(t *testing.T) {
			files, err := Render(config)
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				path := filepath.Join("testdata", name, file.Name)
				if name != "plain" && file.Name != BootstrapFile {
					path = filepath.Join("testdata", "plain", file.Name)
				}
				golden.Compare(t, path, file.Content)
			}
		})
	}
}

func TestEnvoyAcceptsGoldens(t *testing.T) {
	binaries := envoytest.Binaries(t)
	for name, config := range goldenCases() {
		t.Run(name, func(t *testing.T) {
			dir := installed(t, &config)
			for _, envoy := range binaries {
				cmd := exec.Command(envoy, "--mode", "validate", "--disable-hot-restart", "--config-path", filepath.Join(dir, BootstrapFile))
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s rejects %s: %v\n%s", envoy, name, err, out)
				}
			}
		})
	}
}

// installed writes the rendered files and replacements of the mounted volumes to a temporary directory.
func installed(t *testing.T, config *Config) string {
	t.Helper()
	root := t.TempDir()
	config.Dirs = Dirs{Config: filepath.Join(root, "config"), Token: filepath.Join(root, "token"), Trust: filepath.Join(root, "trust")}
	writeFile(t, filepath.Join(config.Dirs.Token, "token"), []byte("token-1"))
	writeFile(t, filepath.Join(config.Dirs.Trust, "ca.crt"), newAuthority(t).rootPEM)
	files, err := Render(*config)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		writeFile(t, filepath.Join(config.Dirs.Config, file.Name), file.Content)
	}
	return config.Dirs.Config
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}
