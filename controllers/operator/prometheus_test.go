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
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// metrics is a Prometheus server that returns the same number for every query.
type metrics struct {
	mu      sync.Mutex
	now     string
	before  string
	queries map[string]bool
}

// serveMetrics runs a Prometheus until the test ends, and returns its address.
func serveMetrics(t *testing.T, m *metrics) string {
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
			// Only the time of a baseline has no fraction.
			value = m.before
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"scalar","result":[1700000000,%q]}}`, value)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// set changes the answer.
func (m *metrics) set(now string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = now
}

// withPrometheus adds a Prometheus to the gates of a Mesh.
func withPrometheus(address string, query *string) func(*v1alpha1.MeshSpec) {
	return func(spec *v1alpha1.MeshSpec) {
		fastUpgrades(spec)
		spec.Upgrade.Gates.Prometheus = &v1alpha1.PrometheusSpec{Address: address, Query: query}
	}
}

// Prometheus can measure failures that load reports of sidecars do not contain.
func TestPrometheusErrorRateCausesRollback(t *testing.T) {
	t.Parallel()
	const name = "measured"
	m := &metrics{now: "0.3", before: "0.25"}
	address := serveMetrics(t, m)
	mesh := readyMesh(t, name, withPrometheus(address, nil))
	// The query includes namespaces without pods, because the only pod is absent while it is replaced.
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "measured-empty", Labels: map[string]string{names.MonitoredByLabel: name}}})
	s := newWorkloads(t, name, "cart")
	s.wait("measured-v0-0-9", 1)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	entry := waitHistory(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
	assertContains(t, entry.Reason, "PrometheusErrorRate", address, "30.00% of requests fail, 25.00% failed before")
	waitVersion(t, name, olderVersion)

	// The same error rate as before the upgrade passes.
	m.set("0.25")
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Sidecar = &v1alpha1.SidecarSpec{Image: ptr.To("example/envoy:fixed")} })
	waitReady(t, mesh)
	waitVersion(t, name, operatorVersion)
	m.mu.Lock()
	defer m.mu.Unlock()
	shop := false
	for query := range m.queries {
		assertContains(t, query, "measured-empty", "envoy_cluster_upstream_rq_xx")
		shop = shop || strings.Contains(query, "measured-shop")
	}
	if !shop {
		t.Errorf("no query includes the namespace with the sidecars: %v", slices.Collect(maps.Keys(m.queries)))
	}
}

// An unreachable Prometheus blocks an upgrade, and fails it at the timeout.
func TestUnreachablePrometheusFailsTheGate(t *testing.T) {
	t.Parallel()
	// No test listens on this port.
	const gone = "http://127.0.0.1:9"
	const name = "blind"
	mesh := readyMesh(t, name, withPrometheus(gone, ptr.To("vector(0)")))
	s := newWorkloads(t, name, "cart")
	s.wait("blind-v0-0-9", 1)
	change(t, mesh, func(m *v1alpha1.Mesh) {
		m.Spec.Version = ptr.To(operatorVersion)
		m.Spec.Upgrade.Gates.Timeout = ptr.To(v1alpha1.NewDuration(10 * time.Second))
	})
	eventually(t, func() error {
		get(t, mesh)
		if u := mesh.Status.Upgrade; u == nil || u.To != operatorVersion {
			return fmt.Errorf("the upgrade is %+v", u)
		}
		return nil
	})
	entry := waitHistory(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
	assertContains(t, entry.Reason, "PrometheusErrorRate", "the Prometheus at "+gone, "connection refused", "correct spec.upgrade.gates.prometheus, or remove it")
	if len(s.restarted) > 0 {
		t.Errorf("workloads were restarted for an unmeasured version: %v", s.restarted)
	}
	waitVersion(t, name, olderVersion)
}
