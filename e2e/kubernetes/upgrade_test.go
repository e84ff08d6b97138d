package kubernetes

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// shop is the namespace of the workloads.
	shop = "shop"
	// store is a server, and buyer its client.
	store, buyer = "store", "buyer"
)

// policies allow the buyer to call a server on /books.
const policies = `apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: books, namespace: shop}
spec: {matches: [{name: books, pathRegex: /books, methods: [GET]}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: %[1]s, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: %[1]s, namespace: shop}
  sources: [{kind: ServiceAccount, name: buyer, namespace: shop}]
  rules: [{kind: HTTPRouteGroup, name: books}]
`

// flows are the loads: one opens a connection for each request, one reuses connections.
func flows() map[string][]string {
	return map[string][]string{
		"a connection for each request": {"--rate", "100", "--timeout", "15s"},
		"reused connections":            {"--rate", "100", "--timeout", "15s", "--keep-alive"},
	}
}

// TestKubernetesIsUpgradedUnderTraffic replaces the control plane of Kubernetes, and later the kubelet and kube-proxy, by the next version while a mesh
// has traffic. The node is not drained, as Kubernetes recommends for a new minor version of a kubelet: with one node, the pods have nowhere to go.
func TestKubernetesIsUpgradedUnderTraffic(t *testing.T) {
	cluster := start(t, versions(beforeNewest, beforeNewest))
	u := upgrade{t, cluster}
	lab.Must(t, cluster.CreateNamespace(t.Context(), shop, names.DefaultMesh))
	u.deploy(store, 2)
	account, pod := cluster.TestPod(shop, buyer)
	lab.Must(t, cluster.Create(t.Context(), account, pod))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, shop))
	u.expectVersions(beforeNewest, beforeNewest)

	agent := cluster.Agent(t.Context(), shop, buyer, lab.AgentPort)
	u.awaitAnswer(agent, store)
	before := u.pods()
	loads := u.startLoads(agent)

	t.Setenv(kubernetesVariable, newest)
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "upgrade"))
	u.expectVersions(newest, beforeNewest)
	cluster.Record(t, "Kubernetes is upgraded from "+beforeNewest+", first the API server and then the kubelet, without a lost request")
	u.expectChanges(agent, "late-control-plane")
	t.Setenv(kubeletVariable, newest)
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "upgrade"))
	u.expectVersions(newest, newest)
	u.expectChanges(agent, "late-kubelet")

	u.finishLoads(loads)
	u.expectSamePods(before)
	lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, installLimit))
}

// upgrade is the upgrade of Kubernetes in a test.
type upgrade struct {
	t       *testing.T
	cluster *lab.Cluster
}

// deploy creates a Deployment that the buyer may call, with its Service.
func (u upgrade) deploy(name string, replicas int32) {
	u.t.Helper()
	account, pod := u.cluster.TestPod(shop, name)
	lab.Must(u.t, u.cluster.Create(u.t.Context(), account, lab.TestService(shop, name), lab.Deployment(pod, replicas)))
	lab.Must(u.t, u.cluster.Put(u.t.Context(), fmt.Sprintf(policies, name)))
}

// expectVersions requires minor versions of the API server and the kubelet.
func (u upgrade) expectVersions(kubernetes, kubelet string) {
	u.t.Helper()
	version, err := u.cluster.Kubectl(u.t.Context(), "get", "--raw", "/version")
	lab.Must(u.t, err)
	if !strings.Contains(version, `"gitVersion": "v`+kubernetes+".") {
		u.t.Fatalf("the API server is %s, want %s", version, kubernetes)
	}
	node, err := u.cluster.Kubectl(u.t.Context(), "get", "nodes", "-o", "jsonpath={.items[*].status.nodeInfo.kubeletVersion}")
	lab.Must(u.t, err)
	if !strings.HasPrefix(node, "v"+kubelet+".") {
		u.t.Fatalf("the kubelet is %s, want %s", node, kubelet)
	}
	u.t.Logf("the API server is of %s, the kubelet %s", kubernetes, node)
}

// expectChanges requires that a new pod gets a sidecar and that a new policy reaches the running ones.
func (u upgrade) expectChanges(agent *lab.Agent, name string) {
	u.t.Helper()
	u.deploy(name, 1)
	lab.Must(u.t, u.cluster.PodsReady(u.t.Context(), podLimit, shop))
	u.awaitAnswer(agent, name)
}

func (u upgrade) awaitAnswer(agent *lab.Agent, server string) {
	u.t.Helper()
	_, err := agent.AwaitOutcome(u.t.Context(), time.Minute, urlOf(server), "200")
	lab.Must(u.t, err)
}

func urlOf(server string) string {
	return fmt.Sprintf("http://%s.%s:%d/books", server, shop, lab.HTTPPort)
}

func (u upgrade) startLoads(agent *lab.Agent) map[string]*lab.Running[report.Requests] {
	u.t.Helper()
	running := map[string]*lab.Running[report.Requests]{}
	for name, args := range flows() {
		load, err := agent.StartRequests(u.t.Context(), urlOf(store), args...)
		lab.Must(u.t, err)
		running[name] = load
	}
	return running
}

// finishLoads stops the loads, and requires that no request failed.
func (u upgrade) finishLoads(running map[string]*lab.Running[report.Requests]) {
	u.t.Helper()
	for name, load := range running {
		result, err := load.Stop(u.t.Context())
		lab.Must(u.t, err)
		u.t.Logf("%s: %d requests, %v %v, late by up to %s", name, result.Requests, result.Outcomes, result.Errors, result.Late)
		if result.Failed() > 0 || !result.IsRepresentative() {
			u.t.Errorf("%s: %d of %d requests failed, %d skipped: %v", name, result.Failed(), result.Requests, result.Skipped, result.Failures)
		}
	}
}

// pods returns the numbers of restarts of the containers by pod and container.
func (u upgrade) pods() map[string]int32 {
	u.t.Helper()
	restarts := map[string]int32{}
	for _, namespace := range []string{shop, names.DefaultNamespace} {
		var list corev1.PodList
		lab.Must(u.t, u.cluster.Client.List(context.WithoutCancel(u.t.Context()), &list, client.InNamespace(namespace)))
		for i := range list.Items {
			pod := &list.Items[i]
			for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
				restarts[pod.Name+"/"+status.Name] = status.RestartCount
			}
		}
	}
	return restarts
}

// expectSamePods requires that no container of before has restarted, and that its pod exists.
func (u upgrade) expectSamePods(before map[string]int32) {
	u.t.Helper()
	after := u.pods()
	for container, restarts := range before {
		if now, exists := after[container]; !exists || now != restarts {
			u.t.Errorf("container %s: it exists: %t, %d restarts, before the upgrade %d", container, exists, now, restarts)
		}
	}
}
