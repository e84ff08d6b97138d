package networks

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/networks/enforcer"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	isolated, elsewhere = "isolated", "isolated-elsewhere"
	// plain is a pod without a sidecar: what it can connect to is up to the network alone.
	server, caller, plain = "server", "caller", "plain"
)

// isolation is a namespace of the mesh whose network drops what the NetworkPolicies of the documentation do not allow.
type isolation struct {
	*testing.T
	network *enforcer.Enforcer
	// documented are the NetworkPolicies of the documentation by name.
	documented map[string]string
}

// isolate creates the namespace with the policies, a server and its caller, and a pod without a sidecar.
func isolate(t *testing.T) *isolation {
	t.Helper()
	i := &isolation{T: t, documented: documentedPolicies(t)}
	for namespace, mesh := range map[string]string{isolated: names.DefaultMesh, elsewhere: ""} {
		lab.Must(t, cluster.CreateNamespace(t.Context(), namespace, mesh))
		t.Cleanup(func() { lab.Must(t, cluster.DeleteNamespace(context.WithoutCancel(t.Context()), namespace)) })
	}
	for name, policy := range i.documented {
		if name != probes {
			lab.Must(t, cluster.Put(t.Context(), policy))
		}
	}
	var err error
	i.network, err = enforcer.Start(t.Context(), cluster.Client, enforcer.Options{Namespaces: []string{isolated}, PodRanges: podRanges(t)})
	lab.Must(t, err)
	t.Cleanup(func() { lab.Must(t, i.network.Stop()) })
	i.create(elsewhere, server)
	for _, name := range []string{server, caller, plain} {
		i.create(isolated, name)
	}
	lab.Must(t, cluster.Put(t.Context(), grantToCaller))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, elsewhere))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, isolated))
	return i
}

// grantToCaller allows requests of the caller to the server.
const grantToCaller = `
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: all, namespace: ` + isolated + `}
spec: {matches: [{name: all, pathRegex: ".*", methods: ["*"]}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: caller, namespace: ` + isolated + `}
spec:
  destination: {kind: ServiceAccount, name: ` + server + `, namespace: ` + isolated + `}
  sources: [{kind: ServiceAccount, name: ` + caller + `, namespace: ` + isolated + `}]
  rules: [{kind: HTTPRouteGroup, name: all}]
`

// create creates a pod with the tools, and a Service for it.
func (i *isolation) create(namespace, name string) *corev1.Pod {
	i.Helper()
	account, pod := cluster.TestPod(namespace, name)
	switch {
	case name == plain:
		pod.Annotations = map[string]string{names.InjectionAnnotation: "disabled"}
	case namespace == isolated:
		pod.Annotations = map[string]string{names.ScrapeAnnotation: "true"}
	}
	lab.Must(i, cluster.Create(i.Context(), account, pod, lab.TestService(namespace, name)))
	return pod
}

// The names of the NetworkPolicies of the documentation.
const (
	defaultDeny, toControlPlane, dns, traffic, metrics, probes = "default-deny", "mesh-control-plane", "dns", "mesh-traffic", "metrics", "probes"
)

// documentedPolicies returns the NetworkPolicies of the documentation, for the namespace of the test.
func documentedPolicies(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile(cluster.Repository.Path("docs", "network-policies.md"))
	lab.Must(t, err)
	found := map[string]string{}
	for _, part := range strings.Split(string(page), "```yaml\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		for _, policy := range strings.Split(strings.ReplaceAll(block, "namespace: shop", "namespace: "+isolated), "---\n") {
			_, name, _ := strings.Cut(policy, "metadata: {name: ")
			name, _, _ = strings.Cut(name, ",")
			found[name] = policy
		}
	}
	for _, name := range []string{defaultDeny, toControlPlane, dns, traffic, metrics, probes} {
		if found[name] == "" {
			t.Fatalf("the documentation has no NetworkPolicy %s", name)
		}
	}
	return found
}

// podRanges returns the ranges of pods of the local cluster. The node has the first address of each.
func podRanges(t *testing.T) []netip.Prefix {
	t.Helper()
	var nodes corev1.NodeList
	lab.Must(t, cluster.Client.List(t.Context(), &nodes))
	var ranges []netip.Prefix
	for _, address := range nodes.Items[0].Status.Addresses {
		if a, err := netip.ParseAddr(address.Address); err == nil && address.Type == corev1.NodeInternalIP {
			bits := 64
			if a.Is4() {
				bits = 16
			}
			ranges = append(ranges, netip.PrefixFrom(a, bits).Masked())
		}
	}
	return ranges
}

// without removes a policy until the returned function is called.
func (i *isolation) without(name string) (restore func()) {
	i.Helper()
	policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: isolated, Name: name}}
	lab.Must(i, cluster.Client.Delete(i.Context(), policy))
	lab.Must(i, i.network.Sync(i.Context()))
	return func() {
		i.Helper()
		lab.Must(i, cluster.Put(i.Context(), i.documented[name]))
		lab.Must(i, i.network.Sync(i.Context()))
	}
}

// outcome awaits the outcome of requests of a pod to a URL.
func (i *isolation) outcome(namespace, pod, url, want string) {
	i.Helper()
	_, err := cluster.Agent(i.Context(), namespace, pod, lab.AgentPort).AwaitOutcome(i.Context(), podLimit, url, want, "--timeout", "1s")
	lab.Must(i, err)
}

// urlIn returns the address of the server in a namespace.
func urlIn(namespace string) string {
	return fmt.Sprintf("http://%s.%s:%d/", server, namespace, lab.HTTPPort)
}

// awaitStuck waits until the sidecar of a pod has run for a while without its configuration.
func (i *isolation) awaitStuck(pod *corev1.Pod) {
	i.Helper()
	const while = 5 * time.Second // several times what a sidecar needs
	lab.Eventually(i, podLimit, "the sidecar of "+pod.Name+" has no configuration", func(ctx context.Context) (bool, string, error) {
		var stored corev1.Pod
		if err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(pod), &stored); err != nil {
			return false, "", err
		}
		if lab.IsReady(&stored) {
			return false, "", &lab.PermanentError{Reason: "the pod is ready"}
		}
		for _, status := range stored.Status.InitContainerStatuses {
			if running := status.State.Running; names.IsSlot(status.Name) && running != nil {
				return time.Since(running.StartedAt.Time) > while, running.StartedAt.String(), nil
			}
		}
		return false, "it has not started", nil
	})
}

// osm runs the osm command and returns what it prints, also if it fails.
func (i *isolation) osm(args ...string) string {
	i.Helper()
	printed, code, err := cluster.OSM(i.Context(), args...)
	lab.Must(i, err)
	i.Logf("osm %s, exit code %d:\n%s", strings.Join(args, " "), code, printed)
	return printed
}

// awaitConnected waits until the sidecar of a pod has a connection to the control plane, or none.
func (i *isolation) awaitConnected(pod string, connected bool) {
	i.Helper()
	want := "control_plane.connected_state: 0"
	if connected {
		want = "control_plane.connected_state: 1"
	}
	begin := time.Now()
	lab.Eventually(i, podLimit, "the sidecar of "+pod+" has "+want, func(ctx context.Context) (bool, string, error) {
		text, err := cluster.Admin(ctx, isolated, pod, "/stats?filter=^control_plane.connected_state$")
		return strings.Contains(text, want), text, err
	})
	i.Logf("%s after %s", want, time.Since(begin).Round(time.Second))
}

// awaitReady waits until a pod is ready, or not.
func (i *isolation) awaitReady(name string, want bool) {
	i.Helper()
	lab.Eventually(i, podLimit, fmt.Sprintf("pod %s has ready=%t", name, want), func(ctx context.Context) (bool, string, error) {
		var pod corev1.Pod
		err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: isolated, Name: name}, &pod)
		return lab.IsReady(&pod) == want, "", err
	})
}

// cutEstablished selects whether policies apply to open connections.
func (i *isolation) cutEstablished(cut bool) {
	i.Helper()
	lab.Must(i, i.network.Change(i.Context(), func(o *enforcer.Options) { o.CutEstablished = cut }))
}
