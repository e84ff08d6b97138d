package journeys

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
)

// TestApplicationsThatStopAtOnce replaces two pods again and again, whose application accepts no connections after SIGTERM, and has no
// preStop hook. Half of the requests have a method that may not be repeated once a server has processed it.
func TestApplicationsThatStopAtOnce(t *testing.T) {
	rollouts := 2
	if lab.IsFull() {
		rollouts = 10
	}
	ns := meshNamespace(t, "stop")
	applyPolicies(t, strings.ReplaceAll(routeGroup(ns, "any", "all=.*"), "[GET]", "[GET, POST]"),
		grant{namespace: ns, name: "server", destination: "server", source: ns + "/client", rules: []string{"any"}}.String())
	account, pod := cluster.TestPod(ns, "server")
	pod.Spec.Containers[0].Lifecycle = nil
	deployment := lab.Deployment(pod, 2)
	lab.Must(t, cluster.Create(t.Context(), account, lab.TestService(ns, "server"), deployment))
	source := createWorkloads(t, ns, "client")["client"]
	server := workload{nil, ns, "server"}
	source.expect(t, server.url("/"), "200")

	running := map[string]*lab.Running[report.Requests]{}
	for _, method := range []string{"GET", "POST"} {
		load, err := source.StartRequests(t.Context(), server.url("/"), "--method", method, "--rate", "100", "--keep-alive")
		lab.Must(t, err)
		running[method] = load
	}
	for i := range rollouts {
		rollOut(t, deployment, fmt.Sprint(i))
	}
	for method, load := range running {
		result, err := load.Stop(t.Context())
		lab.Must(t, err)
		t.Logf("%d %s requests in %d rollouts: %v", result.Requests, method, rollouts, result.Outcomes)
		requireNoFailures(t, result, 100*rollouts)
	}
}

// rollOut replaces the pods of a Deployment, and waits until no earlier one is left.
func rollOut(t *testing.T, deployment *appsv1.Deployment, version string) {
	t.Helper()
	target := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: deployment.Namespace, Name: deployment.Name}}
	lab.Must(t, cluster.Patch(t.Context(), target, fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"version":%q}}}}}`, version)))
	lab.Eventually(t, podLimit, "all pods are of the new version", func(ctx context.Context) (bool, string, error) {
		var pods corev1.PodList
		if err := cluster.Client.List(ctx, &pods, client.InNamespace(deployment.Namespace), client.MatchingLabels(deployment.Spec.Template.Labels)); err != nil {
			return false, "", err
		}
		current := 0
		for _, pod := range pods.Items {
			if pod.Annotations["version"] == version && pod.DeletionTimestamp == nil && lab.IsReady(&pod) {
				current++
			}
		}
		return current == 2 && len(pods.Items) == 2, fmt.Sprintf("%d pods, %d of the new version are ready", len(pods.Items), current), nil
	})
	sleep(t, time.Second)
}
