package operator_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// metrics is a Prometheus that answers with one number, whatever it is asked.
type metrics struct {
	mu      sync.Mutex
	now     string
	before  string
	queries map[string]bool
}

// servedMetrics starts one until the test ends, and returns its address.
func servedMetrics(t *testing.T, m *metrics) string {
	t.Helper()
	m.queries = map[string]bool{}
	begin := float64(time.Now().Unix())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if err := r.ParseForm(); err != nil || r.URL.Path != "/api/v1/query" {
			http.NotFound(w, r)
			return
		}
		m.queries[r.Form.Get("query")] = true
		value := m.now
		var at float64
		if _, err := fmt.Sscan(r.Form.Get("time"), &at); err == nil && at == float64(int64(at)) && at >= begin {
			// The moment of a baseline has no fractions.
			value = m.before
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"scalar","result":[1700000000,%q]}}`, value)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// becomes says what is answered from now on.
func (m *metrics) becomes(now string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = now
}

// asking makes the gates of a Mesh ask a Prometheus.
func asking(address string, query *string) func(*v1alpha1.MeshSpec) {
	return func(spec *v1alpha1.MeshSpec) {
		quick(spec)
		spec.Upgrade.Gates.Prometheus = &v1alpha1.PrometheusSpec{Address: address, Query: query}
	}
}

// What the sidecars' own reports do not show, a Prometheus may.
func TestAVersionThatPrometheusSeesFailIsGivenUp(t *testing.T) {
	const name = "measured"
	m := &metrics{now: "0.3", before: "0.25"}
	address := servedMetrics(t, m)
	mesh := readyMesh(t, name, asking(address, nil))
	// The only pod of the shop is away while it is replaced; a namespace without pods is asked about all the same.
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "measured-empty", Labels: map[string]string{names.MonitoredByLabel: name}}})
	s := openShop(t, name, "cart")
	s.wait("measured-v0-0-9", 1)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	entry := history(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
	mention(t, entry.Reason, "PrometheusErrorRate", address, "30.00% of requests fail, 25.00% did before")
	runs(t, name, olderVersion)

	// The same number is no failure when it was so before.
	m.becomes("0.25")
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Upgrade.Gates.MaxRestarts = ptr.To[int32](3) })
	waitReady(t, mesh)
	runs(t, name, operatorVersion)
	m.mu.Lock()
	defer m.mu.Unlock()
	shop := false
	for query := range m.queries {
		mention(t, query, "measured-empty", "envoy_cluster_upstream_rq_xx")
		shop = shop || strings.Contains(query, "measured-shop")
	}
	if !shop {
		t.Errorf("nothing was asked about the namespace with the sidecars: %v", slices.Collect(maps.Keys(m.queries)))
	}
}

// A Prometheus that does not answer keeps an upgrade from going on, and at the end of the timeout it is a failure.
func TestAPrometheusThatDoesNotAnswerIsNotHealthy(t *testing.T) {
	// Nobody listens there, and no test beside this one is given this port.
	const gone = "http://127.0.0.1:9"
	const name = "blind"
	mesh := readyMesh(t, name, asking(gone, ptr.To("vector(0)")))
	s := openShop(t, name, "cart")
	s.wait("blind-v0-0-9", 1)
	change(t, mesh, func(m *v1alpha1.Mesh) {
		m.Spec.Version = ptr.To(operatorVersion)
		m.Spec.Upgrade.Gates.Timeout = &metav1.Duration{Duration: 10 * time.Second}
	})
	eventually(t, func() error {
		get(t, mesh)
		if u := mesh.Status.Upgrade; u == nil || u.To != operatorVersion {
			return fmt.Errorf("the upgrade is %+v", u)
		}
		return nil
	})
	entry := history(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
	mention(t, entry.Reason, "PrometheusErrorRate", "the Prometheus at "+gone, "connection refused", "correct spec.upgrade.gates.prometheus, or remove it")
	if len(s.restarted) > 0 {
		t.Errorf("workloads were restarted for a version that nobody measured: %v", s.restarted)
	}
	runs(t, name, olderVersion)
}
