package journeys

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestEgressGatewayLosesNothing sends requests of a workload through the egress gateway: the server sees the pods of the gateway only, no
// request fails while one of them is deleted, and none leaves the cluster without the gateway.
func TestEgressGatewayLosesNothing(t *testing.T) {
	lab.RequireFull(t)
	inside, outside := meshNamespace(t, "shop"), createNamespace(t, "abroad", outsideMesh)
	setGateway(t, "egressGateway", fmt.Sprintf("{mode: Managed, allowedNamespaces: [%s]}", outside))
	t.Cleanup(func() { setGateway(t, "egressGateway", "null") })
	server := createWorkloads(t, outside, "server")["server"]
	clients := createWorkloads(t, inside, "till", "thief")
	till := clients["till"]
	awaitGatewayPods(t, names.EgressGateway)
	applyPolicies(t, fmt.Sprintf(`apiVersion: policy.openservicemesh.io/v1alpha1
kind: Egress
metadata: {name: abroad, namespace: %[1]s}
spec:
  sources: [{kind: ServiceAccount, name: till, namespace: %[1]s}]
  hosts: [server.%[2]s]
  ports: [{number: %[3]d, protocol: http}]
  gateway: {}
---
`, inside, outside, lab.HTTPPort))

	for peer := range till.expectWithin(t, podLimit, server.url("/books"), "200").Peers {
		if !gatewayAddresses(t)[peer] {
			t.Errorf("the server saw the address %s, which is not that of a pod of the gateway", peer)
		}
	}
	clients["thief"].expect(t, server.url("/books"), report.Reset)
	var running []*lab.Running[report.Requests]
	for _, args := range gatewayFlows {
		load, err := till.StartRequests(t.Context(), server.url("/books"), append([]string{"--timeout", "15s"}, args...)...)
		lab.Must(t, err)
		running = append(running, load)
	}
	deleteGatewayPod(t, names.EgressGateway)
	for _, load := range running {
		result, err := load.Stop(t.Context())
		lab.Must(t, err)
		requireNoFailures(t, result, 200)
	}
	setGateway(t, "egressGateway", "null")
	till.expectWithin(t, 2*podLimit, server.url("/books"), "503")
}

// gatewayAddresses are the addresses of the pods of the egress gateway.
func gatewayAddresses(t *testing.T) map[string]bool {
	t.Helper()
	var pods corev1.PodList
	lab.Must(t, cluster.Client.List(t.Context(), &pods, client.InNamespace(names.DefaultNamespace), client.MatchingLabels{names.AppLabel: names.EgressGateway}))
	addresses := map[string]bool{}
	for i := range pods.Items {
		for _, ip := range podIPs(&pods.Items[i]) {
			addresses[ip] = true
		}
	}
	return addresses
}
