package xds

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// liveEnvoy is a real Envoy in its own network namespace, with its control plane.
type liveEnvoy struct {
	ns      *nstest.Namespace
	control *control
	// dir has the files of the bootstrap.
	dir string
}

func startReal(t *testing.T, pod *inventory.Instance, entries ...catalog.Entry) *liveEnvoy {
	t.Helper()
	return startRealAt(t, controlOptions{}, pod, entries...)
}

func startRealAt(t *testing.T, options controlOptions, pod *inventory.Instance, entries ...catalog.Entry) *liveEnvoy {
	t.Helper()
	r := &liveEnvoy{ns: nstest.New(t)}
	listener := r.ns.Listen(t, fmt.Sprintf("127.0.0.1:%d", names.ADSPort))
	r.control = startWith(t, listener, options, entries...)
	r.control.store.MarkSynced()
	r.dir = t.TempDir()
	dir := r.dir
	config := bootstrap.Config{
		Statistics: bootstrap.AllStatistics,
		// The server uses the certificate of a workload "ads" in a namespace "control".
		ProxyUUID: "uuid", TrustDomain: "control." + trustDomain, XDSHost: "127.0.0.1", XDSPort: names.ADSPort,
		ServiceAccount: pod.ServiceAccount, Namespace: pod.Name.Namespace, PodIPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Dirs: bootstrap.Dirs{Config: dir, Token: filepath.Join(dir, "token"), Trust: filepath.Join(dir, "trust")},
	}
	files, err := bootstrap.Render(config)
	if err != nil {
		t.Fatal(err)
	}
	files = append(files,
		bootstrap.File{Name: filepath.Join("token", names.TokenFile), Content: []byte(r.control.tokenOf(pod))},
		bootstrap.File{Name: filepath.Join("trust", names.CABundleCert), Content: r.control.rootPEM})
	for _, file := range files {
		path := filepath.Join(dir, file.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, file.Content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.run(t)
	return r
}

// run starts an Envoy with the bootstrap and further arguments.
func (r *liveEnvoy) run(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	log := &strings.Builder{}
	args = append([]string{
		"--config-path", filepath.Join(r.dir, bootstrap.BootstrapFile), "--log-level", "warning", "--disable-hot-restart", "--concurrency", "1",
	}, args...)
	cmd := exec.Command(envoytest.Binary(t), args...)
	cmd.Stdout, cmd.Stderr = log, log
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("envoy says:\n%s", log)
		}
	})
	r.ns.Start(t, cmd)
	return cmd
}

// ready returns the status code of the readiness probe, 0 without an answer.
func (r *liveEnvoy) ready() int {
	response, err := r.ns.HTTP().Get(fmt.Sprintf("http://127.0.0.1:%d%s", names.ReadyPort, bootstrap.ReadyPath))
	if err != nil {
		return 0
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode
}

// ask reads a page of Envoy's admin interface.
func (r *liveEnvoy) ask(path string) string {
	response, err := r.ns.HTTP().Get(fmt.Sprintf("http://127.0.0.1:%d%s", names.AdminPort, path))
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return string(body)
}

// clusters returns the versions of the active and the warming clusters.
func (r *liveEnvoy) clusters(t *testing.T) (active, warming map[string]string) {
	t.Helper()
	type entry struct {
		Version string                `json:"version_info"`
		Cluster struct{ Name string } `json:"cluster"`
	}
	var dump struct {
		Configs []struct {
			Active  []entry `json:"dynamic_active_clusters"`
			Warming []entry `json:"dynamic_warming_clusters"`
		}
	}
	if err := json.Unmarshal([]byte(r.ask("/config_dump?mask=dynamic_active_clusters,dynamic_warming_clusters")), &dump); err != nil {
		return nil, nil
	}
	active, warming = map[string]string{}, map[string]string{}
	for _, config := range dump.Configs {
		for _, e := range config.Active {
			active[e.Cluster.Name] = e.Version
		}
		for _, e := range config.Warming {
			warming[e.Cluster.Name] = e.Version
		}
	}
	return active, warming
}

// TestRealEnvoy configures the real Envoy, changes an existing cluster, and removes resources.
func TestRealEnvoy(t *testing.T) {
	m := newMesh()
	other := meshtest.Service("a", "other", "server", "10.96.0.2", 81, inventory.ProtocolTCP)
	own := meshtest.Service("a", "client", "client", "10.96.0.3", 82, inventory.ProtocolTCP)
	entries := append(m.entries(), other, own, meshtest.Slice(other.Name, m.server), meshtest.Slice(own.Name, m.client),
		&catalog.Settings{Permissive: true})
	r := startReal(t, m.client, entries...)
	eventually.True(t, 15*time.Second, "all listeners in use", func() bool {
		listeners := r.ask("/listeners")
		return strings.Contains(listeners, "outbound_a/server_80") && strings.Contains(listeners, "outbound_a/other_81") &&
			strings.Contains(listeners, "inbound-listener")
	})
	const cluster = "a/server|80"
	before, _ := r.clusters(t)
	if before[cluster] == "" {
		t.Fatalf("the cluster %s is not in use: %v", cluster, before)
	}

	changed := time.Now()
	r.control.apply(&catalog.Settings{Permissive: true, TLS: catalog.TLS{MinVersion: "TLSv1_3"}})
	eventually.True(t, 10*time.Second, "the changed cluster in use", func() bool {
		active, warming := r.clusters(t)
		return active[cluster] != "" && active[cluster] != before[cluster] && len(warming) == 0
	})
	// A cluster that is not sent again warms until a timeout of five seconds.
	if took := time.Since(changed); took > 4*time.Second {
		t.Errorf("a changed cluster that has its endpoints already took %s to be used", took)
	}

	r.control.remove(other)
	eventually.True(t, 15*time.Second, "the removed Service to be gone", func() bool {
		active, _ := r.clusters(t)
		return active != nil && active["a/other|81"] == "" && !strings.Contains(r.ask("/listeners"), "outbound_a/other_81")
	})
	r.checkAccepted(t)
}

// checkAccepted fails if Envoy or the control plane counted a rejection.
func (r *liveEnvoy) checkAccepted(t *testing.T) {
	t.Helper()
	for _, line := range strings.Split(r.ask("/stats?filter=update_rejected|update_failure|fetch_timeout"), "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok && value != "0" && strings.Contains(name, "rejected") {
			t.Errorf("Envoy says %s", line)
		}
	}
	eventually.True(t, 5*time.Second, "every response answered", func() bool {
		for _, proxy := range r.control.store.Proxies() {
			for _, status := range proxy.Types {
				if status.IsAwaitingAnswer() {
					return false
				}
			}
		}
		return true
	})
	for _, proxy := range r.control.store.Proxies() {
		for kind, status := range proxy.Types {
			if status.Rejected > 0 {
				t.Errorf("%s: %+v", kind, status)
			}
		}
	}
}
