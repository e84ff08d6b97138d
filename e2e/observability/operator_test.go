package observability

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/tour"
)

// monitored is a Prometheus of the prometheus-operator that selects every monitor and rule of the mesh.
const monitored = `apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: mesh, namespace: prometheus-operator}
spec:
  version: v3.15.0
  image: osm-local.invalid/prometheus:local
  imagePullPolicy: IfNotPresent
  serviceAccountName: prometheus
  podMonitorSelector: {}
  podMonitorNamespaceSelector: {}
  serviceMonitorSelector: {}
  serviceMonitorNamespaceSelector: {}
  ruleSelector: {}
  ruleNamespaceSelector: {}
`

// operatorReader allows that Prometheus to scrape the operator of the mesh.
const operatorReader = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: e2e-operator-metrics}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: osm-operator-metrics-reader}
subjects: [{kind: ServiceAccount, name: prometheus, namespace: prometheus-operator}]
`

// TestPrometheusOperator runs a real prometheus-operator. Its server scrapes what the monitors of the mesh select, and evaluates the rules.
func TestPrometheusOperator(t *testing.T) {
	lab.RequireFull(t)
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "load-servers", "prometheus", "prometheus-operator"))
	t.Cleanup(func() {
		lab.Must(t, cluster.Repository.Tool(context.Background(), os.Stderr, "./cluster", "prometheus-operator", "down"))
	})
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "prometheus-operator", "up"))
	lab.Must(t, cluster.Put(t.Context(), operatorReader))
	t.Cleanup(func() { lab.Must(t, cluster.Remove(context.Background(), operatorReader)) })
	lab.Must(t, cluster.Put(t.Context(), monitored))
	t.Cleanup(func() { lab.Must(t, tour.Disable(context.Background(), cluster)) })
	patchMesh(t, `{"spec":{"observability":{"prometheus":{"mode":"Operator"}}}}`)
	lab.Must(t, tour.ScrapeBookstore(t.Context(), cluster, os.Stderr))
	lab.Must(t, tour.AwaitComponents(t.Context(), cluster, "prometheus-monitors"))
	lab.Eventually(t, 3*time.Minute, "the Prometheus of the operator runs", func(ctx context.Context) (bool, string, error) {
		pod, err := cluster.Pod(ctx, "prometheus-operator", "prometheus", "mesh")
		if err != nil {
			return false, err.Error(), nil
		}
		for _, c := range pod.Status.ContainerStatuses {
			if !c.Ready {
				return false, c.Name + " is not ready", nil
			}
		}
		return true, "", nil
	})
	server, err := tour.ForwardServer(t.Context(), cluster, "prometheus-operator", "prometheus", "mesh", 9090)
	lab.Must(t, err)
	for _, query := range []string{
		`up{job="osm-controller"} == 1`,
		`up{job="osm-operator-metrics"} == 1`,
		`up{job="osm-system/osm-injector"} == 1`,
		`up{job="osm-system/osm-sidecars"} == 1`,
		`osm:service_requests:rate5m`,
	} {
		answer, err := server.Await(t.Context(), query, 1)
		lab.Must(t, err)
		t.Logf("%s\n%s", query, answer)
	}
	for _, query := range tour.Queries() {
		_, err := server.Await(t.Context(), query.PromQL, 1)
		lab.Must(t, err)
	}
}
