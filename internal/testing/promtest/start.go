package promtest

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// BinaryVariable is the environment variable with the path of the Prometheus binary.
const BinaryVariable = "PROMETHEUS_BIN"

// configuration scrapes static targets on the path that sidecar pods are annotated with.
const configuration = `
global: {scrape_interval: 1s, scrape_timeout: 900ms}
scrape_configs:
- job_name: sidecars
  metrics_path: /stats/prometheus
  static_configs: [{targets: [%s]}]
`

// Start runs a Prometheus that scrapes the targets (host:port) in a namespace until the test ends. It returns the address in
// that namespace once Prometheus is ready.
func Start(t *testing.T, ns *nstest.Namespace, targets ...string) string {
	t.Helper()
	return run(t, ns, fmt.Sprintf(configuration, strings.Join(targets, ", ")), filepath.Join(t.TempDir(), "data"))
}

// Configured runs a Prometheus with a configuration until the test ends. It returns its address in the namespace.
func Configured(t *testing.T, ns *nstest.Namespace, configuration string) string {
	t.Helper()
	return run(t, ns, configuration, filepath.Join(t.TempDir(), "data"))
}

// Recorded runs a Prometheus that has samples in the format OpenMetrics, with their times, and scrapes nothing.
func Recorded(t *testing.T, ns *nstest.Namespace, samples string) string {
	t.Helper()
	dir := t.TempDir()
	input, data := filepath.Join(dir, "samples"), filepath.Join(dir, "data")
	if err := os.WriteFile(input, []byte(samples), 0o644); err != nil {
		t.Fatal(err)
	}
	promtool := filepath.Join(filepath.Dir(program(t)), "promtool")
	if out, err := exec.Command(promtool, "tsdb", "create-blocks-from", "openmetrics", input, data).CombinedOutput(); err != nil {
		t.Fatalf("promtool: %v\n%s", err, out)
	}
	return run(t, ns, "{}", data, "--storage.tsdb.retention.time=100y")
}

// program returns the path of the Prometheus binary.
func program(t *testing.T) string {
	t.Helper()
	binary := os.Getenv(BinaryVariable)
	if binary == "" {
		t.Fatalf("%s is not set: this test runs a real Prometheus, set it to the path of the binary", BinaryVariable)
	}
	return binary
}

// run runs a Prometheus with a configuration and a folder for its samples.
func run(t *testing.T, ns *nstest.Namespace, content, data string, flags ...string) string {
	t.Helper()
	config := filepath.Join(t.TempDir(), "prometheus.yml")
	if err := os.WriteFile(config, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	log := &strings.Builder{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of Prometheus:\n%s", log)
		}
	})
	cmd := exec.Command(program(t), append([]string{
		"--config.file=" + config, "--storage.tsdb.path=" + data, "--web.listen-address=127.0.0.1:9090", "--log.level=warn",
	}, flags...)...)
	cmd.Stdout, cmd.Stderr = log, log
	ns.Start(t, cmd)
	const address = "http://127.0.0.1:9090"
	eventually.True(t, 20*time.Second, "Prometheus is ready", func() bool {
		answer, err := ns.HTTP().Get(address + "/-/ready")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return address
}
