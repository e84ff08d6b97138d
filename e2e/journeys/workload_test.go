package journeys

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// outsideMesh is the mesh argument for namespaces outside of any mesh.
const outsideMesh = ""

// uniqueName returns a name that no earlier run has used.
func uniqueName(prefix string) string { return prefix + "-" + uuid.NewString()[:6] }

// createNamespace creates a namespace for a test and deletes it afterwards. The state of the namespace is logged if the test
// fails.
func createNamespace(t *testing.T, prefix, mesh string) string {
	t.Helper()
	name := uniqueName(prefix)
	lab.Must(t, cluster.CreateNamespace(t.Context(), name, mesh))
	cleanUp(t, name)
	return name
}

// cleanUp describes a namespace if the test failed, and deletes it.
func cleanUp(t *testing.T, name string) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		describeFailure(t, name)
		if err := cluster.DeleteNamespace(ctx, name); err != nil {
			t.Log(err)
		}
	})
}

// described holds the namespaces that were already described: one description is enough for all failed tests.
var described sync.Map

// describeFailure logs the state of a namespace if the test failed.
func describeFailure(t *testing.T, namespace string) {
	if !t.Failed() {
		return
	}
	if _, seen := described.LoadOrStore(namespace, true); !seen {
		t.Log(cluster.Describe(context.Background(), namespace))
	}
}

// workload is a test pod that acts as a client or a server.
type workload struct {
	*lab.Agent
	namespace, name string
}

// createWorkloads creates test pods, each with its service account and Service, and waits until they are ready.
func createWorkloads(t *testing.T, namespace string, podNames ...string) map[string]workload {
	t.Helper()
	result := map[string]workload{}
	for _, name := range podNames {
		account, pod := cluster.TestPod(namespace, name)
		lab.Must(t, cluster.Create(t.Context(), account, lab.TestService(namespace, name), pod))
		result[name] = workload{cluster.Agent(t.Context(), namespace, name, lab.AgentPort), namespace, name}
	}
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, namespace))
	return result
}

// url returns the URL of a path of the workload's Service.
func (p workload) url(path string) string {
	return fmt.Sprintf("http://%s.%s:%d%s", p.name, p.namespace, lab.HTTPPort, path)
}

// address returns the address of a TCP port of the workload's Service.
func (p workload) address(port int) string { return fmt.Sprintf("%s.%s:%d", p.name, p.namespace, port) }

// pod reads the workload's pod.
func (p workload) pod(t *testing.T) *corev1.Pod {
	t.Helper()
	var pod corev1.Pod
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: p.namespace, Name: p.name}, &pod))
	return &pod
}

// ips returns the pod's address of each family that the cluster has.
func (p workload) ips(t *testing.T) []string { return podIPs(p.pod(t)) }

// clusterIPs returns the Service's address of each family that the cluster has.
func (p workload) clusterIPs(t *testing.T) []string {
	t.Helper()
	var service corev1.Service
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: p.namespace, Name: p.name}, &service))
	return service.Spec.ClusterIPs
}

func podIPs(pod *corev1.Pod) []string {
	var all []string
	for _, ip := range pod.Status.PodIPs {
		all = append(all, ip.IP)
	}
	return all
}

// ipv6 returns the address that is IPv6. Every cluster of the tests has one.
func ipv6(t *testing.T, addresses []string) string {
	t.Helper()
	i := slices.IndexFunc(addresses, func(a string) bool { return strings.Contains(a, ":") })
	if i < 0 {
		t.Fatalf("none of the addresses %v is IPv6", addresses)
	}
	return addresses[i]
}

// expect sends requests until some in a row have the desired outcome.
func (p workload) expect(t *testing.T, url, want string, args ...string) *report.Requests {
	t.Helper()
	return p.expectWithin(t, policyLimit, url, want, args...)
}

// expectWithin is expect with another time limit.
func (p workload) expectWithin(t *testing.T, limit time.Duration, url, want string, args ...string) *report.Requests {
	t.Helper()
	start := time.Now()
	result, err := p.AwaitOutcome(t.Context(), limit, url, want, args...)
	lab.Must(t, err)
	t.Logf("%s calls %s and gets %s after %s", p.name, url, want, time.Since(start).Round(time.Millisecond))
	return result
}

// requireNoFailures fails the test unless every request of a load got 200 and enough were sent.
func requireNoFailures(t *testing.T, load *report.Requests, atLeast int) {
	t.Helper()
	t.Logf("%d requests, %v, late by up to %s", load.Requests, load.Outcomes, load.Late)
	if load.Requests < atLeast {
		t.Errorf("only %d requests were sent, want at least %d", load.Requests, atLeast)
	}
	if load.Outcomes["200"] != load.Requests {
		t.Errorf("not all of %d requests got 200: %v: %v", load.Requests, load.Outcomes, load.Errors)
	}
}

// requireRejection requires an error that contains each of the parts.
func requireRejection(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not contain %q: %v", part, err)
		}
	}
}

// meshNamespace creates a namespace in the shared mesh.
func meshNamespace(t *testing.T, prefix string) string {
	t.Helper()
	return createNamespace(t, prefix, names.DefaultMesh)
}
