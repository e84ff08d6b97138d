package upgrade

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/tour"
	component "github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
)

// answeredQueries is the metric of a Prometheus that counts its answers to instant queries.
const answeredQueries = `prometheus_http_requests_total{code="200",handler="/api/v1/query"} `

// TestGateQueriesTheManagedPrometheus upgrades a mesh that runs its own Prometheus. The gate queries it without further settings.
func TestGateQueriesTheManagedPrometheus(t *testing.T) {
	lab.RequireFull(t)
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "load-servers", "prometheus"))
	m := newMesh(t, "measured", cluster.Earlier)
	s := shop{t, m, m.shop()}
	t.Cleanup(s.close)
	s.deployBookstore()
	namespaces := []string{s.bookNamespace("bookbuyer"), s.bookNamespace("bookstore"), s.bookNamespace("bookwarehouse")}
	lab.Must(t, cluster.Available(t.Context(), podLimit, namespaces...))
	m.change(`{"observability":{"prometheus":{"mode":"Managed","managed":{"image":"osm-local.invalid/prometheus:local"}}}}`)
	lab.Must(t, cluster.Shell(t.Context(), "go run ./cmd/osm metrics enable --namespace "+strings.Join(namespaces, ",")))
	lab.Must(t, cluster.Available(t.Context(), podLimit, m.namespace()))
	pod, err := cluster.Pod(t.Context(), m.namespace(), lab.AppLabel, component.Name)
	lab.Must(t, err)
	address, err := cluster.Forward(t.Context(), pod.Namespace, pod.Name, component.Port)
	lab.Must(t, err)
	// The gate has an answer after two scrapes.
	server, err := tour.ForwardServer(t.Context(), cluster, m.namespace(), lab.AppLabel, component.Name, component.Port)
	lab.Must(t, err)
	_, err = server.Await(t.Context(), prometheus.Query(namespaces), 1)
	lab.Must(t, err)

	before := readCounter(t, address)
	m.change(`{"version":"` + cluster.Version + `"}`)
	m.awaitResult(v1alpha1.ResultSucceeded, cluster.Earlier, cluster.Version)
	if after := readCounter(t, address); after <= before {
		t.Errorf("Prometheus has answered %v queries before the upgrade and %v after it: the gate did not query it", before, after)
	} else {
		t.Logf("the gate has sent %v queries", after-before)
	}
}

// readCounter reads how many queries a Prometheus has answered.
func readCounter(t *testing.T, address string) float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	lab.Must(t, err)
	response, err := http.DefaultClient.Do(request)
	lab.Must(t, err)
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if value, found := strings.CutPrefix(lines.Text(), answeredQueries); found {
			number, err := strconv.ParseFloat(value, 64)
			lab.Must(t, err)
			return number
		}
	}
	t.Fatalf("Prometheus does not report %s", answeredQueries)
	return 0
}
