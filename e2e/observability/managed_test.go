package observability

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/tour"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestManagedServers runs a real Prometheus and a real Jaeger. They have the numbers and the traces of the bookstore, and leave nothing.
func TestManagedServers(t *testing.T) {
	lab.RequireFull(t)
	began := time.Now()
	t.Cleanup(func() { lab.Must(t, tour.Disable(context.Background(), cluster)) })
	lab.Must(t, tour.Enable(t.Context(), cluster, os.Stderr))
	t.Run("queries", testQueries)
	t.Run("dashboards", testDashboards)
	t.Run("the page of the mesh", testPage)
	t.Run("SMI traffic metrics", testTrafficMetrics)
	t.Run("trace over Zipkin", func(t *testing.T) {
		patchMesh(t, `{"spec":{"observability":{"tracing":{"protocol":"Zipkin"}}}}`)
		awaitTracingPort(t, 9411)
		requireTrace(t, began)
	})
	t.Run("trace over OTLP", func(t *testing.T) {
		patchMesh(t, `{"spec":{"observability":{"tracing":{"protocol":"OTLP"}}}}`)
		awaitTracingPort(t, 4317)
		requireTrace(t, time.Now())
		// The MeshConfig keeps the value of an earlier run. At least one of these changes affects every sidecar.
		for _, allowed := range []bool{true, false} {
			patchMesh(t, fmt.Sprintf(`{"spec":{"traffic":{"egress":%t}}}`, allowed))
			awaitEgress(t, allowed)
		}
		patchMesh(t, `{"spec":{"traffic":null}}`)
		change, err := tour.FindChange(t.Context(), cluster, began)
		lab.Must(t, err)
		t.Logf("trace %s of a change with %d spans", change.ID, len(change.Spans))
	})
	t.Run("a Jaeger without its storage", testMissingStorage)
	lab.Must(t, tour.Disable(t.Context(), cluster))
	requireNoServers(t)
}

func testQueries(t *testing.T) {
	server, err := tour.OpenServer(t.Context(), cluster)
	lab.Must(t, err)
	for _, query := range tour.Queries() {
		answer, err := server.Await(t.Context(), query.PromQL, 2)
		lab.Must(t, err)
		t.Logf("%s\n%s", query.Question, answer)
	}
	for _, job := range []string{"osm-controller", "osm-injector", "osm-sidecars", "osm-operator"} {
		_, err := server.Await(t.Context(), `up{job="`+job+`"} == 1`, 1)
		lab.Must(t, err)
	}
	for _, query := range []string{`osm:service_requests:rate5m`, `osm_operator_mesh_ready{mesh="osm"} == 1`} {
		_, err = server.Await(t.Context(), query, 1)
		lab.Must(t, err)
	}
	// The operator reconciles other meshes too; what it reports about them does not belong to this one.
	others, err := server.Await(t.Context(), `osm_operator_mesh_info{mesh!="osm"}`, 0)
	lab.Must(t, err)
	if len(others) > 0 {
		t.Errorf("the server has metrics of other meshes: %v", others)
	}
}

func requireTrace(t *testing.T, since time.Time) {
	t.Helper()
	trace, err := tour.FindTrace(t.Context(), cluster, since)
	lab.Must(t, err)
	t.Logf("trace %s of %s with %d spans", trace.ID, strings.Join(trace.Services(), ", "), len(trace.Spans))
}

// testMissingStorage selects a storage whose Secret does not exist. The Mesh names it once the new pod has not started in time, and stays ready.
func testMissingStorage(t *testing.T) {
	patchMesh(t, `{"spec":{"observability":{"jaeger":{"managed":{"storageSecretRef":{"name":"absent","key":"backend.yaml"}}}}}}`)
	lab.Eventually(t, 4*time.Minute, "the Mesh names the missing Secret", func(ctx context.Context) (bool, string, error) {
		live := &v1alpha1.Mesh{}
		if err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, live); err != nil {
			return false, "", err
		}
		for _, c := range live.Status.Components {
			if c.Name == "jaeger" {
				return !c.Ready && strings.Contains(c.Message, "the Secret absent has the key backend.yaml"), fmt.Sprintf("ready %t: %s", c.Ready, c.Message), nil
			}
		}
		return false, "no component jaeger", nil
	})
	lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, installLimit))
}

// requireNoServers waits until nothing of the servers exists.
func requireNoServers(t *testing.T) {
	t.Helper()
	lab.Eventually(t, time.Minute, "the servers are gone", func(ctx context.Context) (bool, string, error) {
		for _, name := range []string{"jaeger", "osm-prometheus"} {
			for _, object := range []client.Object{&appsv1.Deployment{}, &corev1.Service{}, &corev1.ConfigMap{}} {
				err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: names.DefaultNamespace, Name: name}, object)
				if client.IgnoreNotFound(err) != nil {
					return false, "", err
				}
				if err == nil {
					return false, name + " exists", nil
				}
			}
		}
		return true, "", nil
	})
}
