package observability

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	smi "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/metrics/v1alpha2"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/tour"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const trafficMetrics = "/apis/metrics.smi-spec.io/v1alpha1"

// testTrafficMetrics serves SMI's TrafficMetrics of the bookstore by the API server. The APIService exists only while its server is ready.
func testTrafficMetrics(t *testing.T) {
	patchMesh(t, `{"spec":{"observability":{"trafficMetrics":{"mode":"Managed"}}}}`)
	lab.Must(t, tour.AwaitComponents(t.Context(), cluster, "traffic-metrics", "traffic-metrics-api"))
	lab.Eventually(t, 3*time.Minute, "bookbuyer has an edge to bookstore", func(ctx context.Context) (bool, string, error) {
		text, err := cluster.Kubectl(ctx, "get", "--raw", trafficMetrics+"/namespaces/bookbuyer/deployments/bookbuyer/edges")
		if err != nil {
			return false, err.Error(), nil
		}
		var edges smi.TrafficMetricsList
		if err := json.Unmarshal([]byte(text), &edges); err != nil {
			return false, "", err
		}
		for _, edge := range edges.Items {
			if edge.Edge.Resource.Namespace == "bookstore" && edge.Get("success_count").Value.Value() > 0 {
				return true, "", nil
			}
		}
		return false, text, nil
	})
	for _, path := range []string{"/namespaces/bookstore/pods?labelSelector=app%3Dbookstore", "/namespaces/bookstore/deployments", "/namespaces"} {
		text, err := cluster.Kubectl(t.Context(), "get", "--raw", trafficMetrics+path)
		lab.Must(t, err)
		if !strings.Contains(text, `"name":"bookstore`) {
			t.Errorf("%s has no bookstore: %s", path, text)
		}
	}
	text, err := cluster.Kubectl(t.Context(), "get", "--raw", trafficMetrics+"/namespaces", "--as=nobody", "--as-group=system:authenticated")
	if err == nil || !strings.Contains(err.Error(), "Forbidden") && !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("a user without permissions gets %v: %s", err, text)
	}
	// An APIService without a server would break discovery and the deletion of namespaces.
	lab.Must(t, cluster.Patch(t.Context(), &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: names.DefaultNamespace, Name: "osm-traffic-metrics"}},
		`{"metadata":{"annotations":{"operator.openservicemesh.io/drift":"ignore"}},"spec":{"replicas":0}}`))
	requireNoAPI(t, "without a pod")
	patchMesh(t, `{"spec":{"observability":{"trafficMetrics":null}}}`)
	lab.Eventually(t, time.Minute, "the server is gone", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: names.DefaultNamespace, Name: "osm-traffic-metrics"}, &appsv1.Deployment{})
		return err != nil && client.IgnoreNotFound(err) == nil, fmt.Sprint(err), client.IgnoreNotFound(err)
	})
}

func requireNoAPI(t *testing.T, when string) {
	t.Helper()
	lab.Eventually(t, time.Minute, "there is no APIService "+when, func(ctx context.Context) (bool, string, error) {
		text, err := cluster.Kubectl(ctx, "get", "apiservices", "--output=name", "--ignore-not-found", "v1alpha1.metrics.smi-spec.io")
		return err == nil && text == "", text, err
	})
}
