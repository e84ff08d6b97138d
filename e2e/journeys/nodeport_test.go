package journeys

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// outsideAddress is the address of a client outside of the cluster. kube-proxy lets pods and nodes pass the traffic policy Local.
	outsideAddress = "192.0.2.10"
	// podBridge is the interface of the local cluster's node to its pods.
	podBridge = "osm-local0"
)

// TestIngressGatewayBehindNodePort sends requests from outside of the cluster to a port of the node, as a load balancer does that has not noticed that
// the node has no ready pod of the gateway. kube-proxy sends them to pods of this node only. None fails while the Deployment is restarted, nor
// when all pods are deleted at once, and the health port of the node names it unusable meanwhile.
func TestIngressGatewayBehindNodePort(t *testing.T) {
	lab.RequireFull(t)
	if lab.IsCurrent() {
		t.Fatal("a client of the machine of the cluster gets an address outside of it: unset CLUSTER")
	}
	lab.Must(t, cluster.InstallGatewayAPI(t.Context()))
	setGateway(t, "ingressGateway", `{mode: Managed, service: {type: LoadBalancer, externalTrafficPolicy: Local}}`)
	t.Cleanup(func() { setGateway(t, "ingressGateway", "null") })
	inside, outside := meshNamespace(t, "backend"), createNamespace(t, "internet", outsideMesh)
	createWorkloads(t, inside, "server")
	browser := createWorkloads(t, outside, "browser")["browser"]
	host := "server." + inside + ".example.com"
	applyPolicies(t, gatewayObjects(inside, host), routeGroup(inside, "paths", "books=/books"),
		grant{namespace: inside, name: "gateway", destination: "server", source: names.DefaultNamespace + "/" + names.IngressGateway, rules: []string{"paths:books"}}.String())
	awaitGatewayPods(t, names.IngressGateway)
	node := nodeOfGateway(t)
	moveOutside(t, browser, node.address)
	url := fmt.Sprintf("http://%s:%d/books", node.address, node.port)
	if result := browser.expectWithin(t, podLimit, url, "200", "-H", "Host: "+host); result.Clients[outsideAddress] != result.Requests {
		t.Fatalf("the server saw the clients %v, want %s only: kube-proxy did not apply the traffic policy Local", result.Clients, outsideAddress)
	}

	t.Run("restarted Deployment", func(t *testing.T) {
		loads, earlier := startGatewayLoads(t, browser, url, host), gatewayPods(t)
		_, err := cluster.Kubectl(t.Context(), "-n", names.DefaultNamespace, "rollout", "restart", "deployment/"+names.IngressGateway)
		lab.Must(t, err)
		awaitReplaced(t, earlier, nil)
		requireNothingLost(t, loads)
	})
	t.Run("no ready pod", func(t *testing.T) {
		loads, earlier := startGatewayLoads(t, browser, url, host), gatewayPods(t)
		lab.Must(t, cluster.Client.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(names.DefaultNamespace), client.MatchingLabels{names.AppLabel: names.IngressGateway}))
		unusable := 0
		awaitReplaced(t, earlier, func(ctx context.Context) {
			if code, err := node.health(ctx); err == nil && code == http.StatusServiceUnavailable {
				unusable++
			}
		})
		if unusable == 0 {
			t.Error("the health port of the node always answered 200: it always had a ready pod, so the test proves nothing")
		}
		requireNothingLost(t, loads)
	})
}

// gatewayNode is where a load balancer reaches the gateway.
type gatewayNode struct {
	address          string
	port, healthPort int32
}

// health asks the health port that load balancers check: 503 means that the node has no ready pod of the gateway.
func (n gatewayNode) health(ctx context.Context) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s:%d", n.address, n.healthPort), http.NoBody)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, errors.Join(err, response.Body.Close())
}

// nodeOfGateway reads the only node and the ports that Kubernetes chose.
func nodeOfGateway(t *testing.T) gatewayNode {
	t.Helper()
	var service corev1.Service
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: names.DefaultNamespace, Name: names.IngressGateway}, &service))
	var nodes corev1.NodeList
	lab.Must(t, cluster.Client.List(t.Context(), &nodes))
	for _, address := range nodes.Items[0].Status.Addresses {
		if address.Type == corev1.NodeInternalIP && !strings.Contains(address.Address, ":") {
			return gatewayNode{address.Address, service.Spec.Ports[0].NodePort, service.Spec.HealthCheckNodePort}
		}
	}
	t.Fatalf("node %s has no IPv4 address", nodes.Items[0].Name)
	return gatewayNode{}
}

// moveOutside lets a pod call the node from an address outside of the cluster.
func moveOutside(t *testing.T, client workload, node string) {
	t.Helper()
	pod := client.pod(t)
	pids, err := lab.Processes(*pod, pod.Spec.Containers[0].Name)
	lab.Must(t, err)
	inPod := []string{"nsenter", "--target", strconv.Itoa(pids[0]), "--net"}
	run(t, append(inPod, "ip", "address", "add", outsideAddress+"/32", "dev", "lo")...)
	run(t, append(inPod, "ip", "route", "add", node+"/32", "dev", "eth0", "src", outsideAddress)...)
	run(t, "ip", "route", "replace", outsideAddress+"/32", "via", podIPs(pod)[0], "dev", podBridge)
	t.Cleanup(func() { run(t, "ip", "route", "delete", outsideAddress+"/32", "dev", podBridge) })
}

func run(t *testing.T, command ...string) {
	t.Helper()
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(command, " "), err, out)
	}
}

// startGatewayLoads starts gatewayFlows.
func startGatewayLoads(t *testing.T, browser workload, url, host string) []*lab.Running[report.Requests] {
	t.Helper()
	var running []*lab.Running[report.Requests]
	for _, args := range gatewayFlows {
		load, err := browser.StartRequests(t.Context(), url, append([]string{"-H", "Host: " + host, "--timeout", "15s"}, args...)...)
		lab.Must(t, err)
		running = append(running, load)
	}
	return running
}

// requireNothingLost stops loads, and requires that each request got 200.
func requireNothingLost(t *testing.T, loads []*lab.Running[report.Requests]) {
	t.Helper()
	for _, load := range loads {
		result, err := load.Stop(t.Context())
		lab.Must(t, err)
		requireNoFailures(t, result, 1000)
	}
}

// gatewayPods are the names of the pods of the ingress gateway.
func gatewayPods(t *testing.T) map[string]bool {
	t.Helper()
	found, err := listGatewayPods(t.Context())
	lab.Must(t, err)
	return found
}

func listGatewayPods(ctx context.Context) (map[string]bool, error) {
	var pods metav1.PartialObjectMetadataList
	pods.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	err := cluster.Client.List(ctx, &pods, client.InNamespace(names.DefaultNamespace), client.MatchingLabels{names.AppLabel: names.IngressGateway})
	found := map[string]bool{}
	for i := range pods.Items {
		found[pods.Items[i].Name] = true
	}
	return found, err
}

// awaitReplaced waits until earlier pods have gone and two others are ready, and calls observe, if any, while it waits.
func awaitReplaced(t *testing.T, earlier map[string]bool, observe func(context.Context)) {
	t.Helper()
	lab.Eventually(t, 2*podLimit, "the earlier pods of the gateway have gone", func(ctx context.Context) (bool, string, error) {
		if observe != nil {
			observe(ctx)
		}
		pods, err := listGatewayPods(ctx)
		remaining := 0
		for name := range pods {
			if earlier[name] {
				remaining++
			}
		}
		return remaining == 0, fmt.Sprintf("%d exist", remaining), err
	})
	awaitGatewayPods(t, names.IngressGateway)
	// Requests to the last pod end, and the new ones get some.
	time.Sleep(time.Second)
}
