package journeys

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

func TestTrafficSplitMovesWithoutFailedRequests(t *testing.T) {
	t.Parallel()
	ns := meshNamespace(t, "split")
	root := lab.TestService(ns, "shop")
	root.Spec.Selector = map[string]string{"version": "any"}
	lab.Must(t, cluster.Create(t.Context(), root))
	applyPolicies(t, routeGroup(ns, "any", "all=.*"),
		grant{namespace: ns, name: "v1", destination: "v1", source: ns + "/client", rules: []string{"any"}}.String(),
		grant{namespace: ns, name: "v2", destination: "v2", source: ns + "/client", rules: []string{"any"}}.String(),
		split(ns, "shop", "shop", "v1=50", "v2=50"))
	workloads := createWorkloads(t, ns, "client", "v1", "v2")
	for _, version := range []string{"v1", "v2"} {
		pod := workloads[version].pod(t)
		lab.Must(t, cluster.Patch(t.Context(), &corev1.Pod{ObjectMeta: pod.ObjectMeta}, `{"metadata":{"labels":{"version":"any"}}}`))
	}
	client, shop := workloads["client"], workload{nil, ns, "shop"}
	client.expect(t, shop.url("/"), "200")

	t.Run("50 to 50 within 5 percentage points", func(t *testing.T) {
		result, err := client.Requests(t.Context(), shop.url("/"), "--count", "1000", "--keep-alive")
		lab.Must(t, err)
		requireNoFailures(t, result, 1000)
		if n := result.Names["v1"]; n < 450 || n > 550 {
			t.Errorf("v1 got %d of 1000 requests and v2 %d, want 450 to 550 each", n, result.Names["v2"])
		}
	})
	t.Run("moved to 0 to 100 under load", func(t *testing.T) {
		load, err := client.StartRequests(t.Context(), shop.url("/"), "--rate", "100")
		lab.Must(t, err)
		applyPolicies(t, split(ns, "shop", "shop", "v1=0", "v2=100"))
		lab.Eventually(t, policyLimit, "all requests go to v2", func(ctx context.Context) (bool, string, error) {
			result, err := client.Requests(ctx, shop.url("/"), "--count", "20")
			if err != nil {
				return false, "", err
			}
			return result.Names["v2"] == 20, "", nil
		})
		applyPolicies(t, split(ns, "shop", "shop", "v1=100", "v2=0"))
		lab.Eventually(t, policyLimit, "all requests go to v1", func(ctx context.Context) (bool, string, error) {
			result, err := client.Requests(ctx, shop.url("/"), "--count", "20")
			if err != nil {
				return false, "", err
			}
			return result.Names["v1"] == 20, "", nil
		})
		// The load must last long enough to reuse connections from before the change.
		sleep(t, 5*time.Second)
		result, err := load.Stop(t.Context())
		lab.Must(t, err)
		requireNoFailures(t, result, 400)
	})
	t.Run("moved to a route of the Gateway API and back under load", func(t *testing.T) { moveToRoutesAndBack(t, ns, client, shop) })
}

// routeTo sends all requests for Service shop to another Service.
func routeTo(namespace, service string) string {
	return fmt.Sprintf(`apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: %s}
spec:
  parentRefs: [{group: "", kind: Service, name: shop}]
  rules: [{backendRefs: [{name: %s, port: %d}]}]
`, namespace, service, lab.HTTPPort)
}

// Somebody moves from SMI to the Gateway API, and back: a route replaces the split, the split is deleted and comes again, and the route is deleted.
func moveToRoutesAndBack(t *testing.T, ns string, client, shop workload) {
	t.Helper()
	lab.Must(t, cluster.InstallGatewayAPI(t.Context()))
	applyPolicies(t, split(ns, "shop", "shop", "v1=100", "v2=0"))
	load, err := client.StartRequests(t.Context(), shop.url("/"), "--rate", "100")
	lab.Must(t, err)
	allGoTo := func(version string) {
		t.Helper()
		lab.Eventually(t, podLimit, "all requests go to "+version, func(ctx context.Context) (bool, string, error) {
			result, err := client.Requests(ctx, shop.url("/"), "--count", "20")
			if err != nil {
				return false, "", err
			}
			return result.Names[version] == 20, "", nil
		})
	}
	applyPolicies(t, routeTo(ns, "v2"))
	allGoTo("v2")
	_, err = cluster.Kubectl(t.Context(), "delete", "trafficsplit", "-n", ns, "shop")
	lab.Must(t, err)
	sleep(t, time.Second)
	allGoTo("v2")
	applyPolicies(t, split(ns, "shop", "shop", "v1=100", "v2=0"))
	_, err = cluster.Kubectl(t.Context(), "delete", "httproute", "-n", ns, "shop")
	lab.Must(t, err)
	allGoTo("v1")
	result, err := load.Stop(t.Context())
	lab.Must(t, err)
	requireNoFailures(t, result, 100)
}

// sleep keeps a load running for a time, without an event to wait for.
func sleep(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}
