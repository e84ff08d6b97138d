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

	"github.com/openservicemesh/osm-operator/internal/redirect/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
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
	binary := os.Getenv(BinaryVariable)
	if binary == "" {
		t.Fatalf("%s is not set: this test runs a real Prometheus, set it to the path of the binary", BinaryVariable)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, configuration, strings.Join(targets, ", ")), 0o644); err != nil {
		t.Fatal(err)
	}
	log := &strings.Builder{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Prometheus says:\n%s", log)
		}
	})
	cmd := exec.Command(binary, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:9090", "--log.level=warn")
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
