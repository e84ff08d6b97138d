package nodes

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// server has a replica on each node. Clients have a name for each node.
	server, near, far = "server", "near", "far"
)

// routes are all requests.
const routes = `apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: all, namespace: NAMESPACE}
spec: {matches: [{name: all, pathRegex: .*, methods: ["*"]}]}
---
`

// grant returns a TrafficTarget that allows a client to call the server.
func (s shop) grant(source string) string {
	return strings.NewReplacer("NAMESPACE", s.namespace, "CLIENT", source).Replace(`apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: CLIENT, namespace: NAMESPACE}
spec:
  destination: {kind: ServiceAccount, name: server, namespace: NAMESPACE}
  sources: [{kind: ServiceAccount, name: CLIENT, namespace: NAMESPACE}]
  rules: [{kind: HTTPRouteGroup, name: all}]
---
`)
}

// shop is a namespace with a server on each node, and a client on each.
type shop struct{ namespace string }

// deploy deploys a shop and waits until both clients reach both servers.
func deploy(t *testing.T, namespace string) shop {
	t.Helper()
	s := shop{namespace}
	t.Cleanup(func() { lab.Must(t, cluster.DeleteNamespace(context.WithoutCancel(t.Context()), namespace)) })
	lab.Must(t, cluster.CreateNamespace(t.Context(), namespace, names.DefaultMesh))
	lab.Must(t, cluster.Put(t.Context(), strings.ReplaceAll(routes, "NAMESPACE", namespace)+s.grant(near)+s.grant(far)))
	for name, node := range map[string]string{near: lab.FirstNode, far: second.Name} {
		account, pod := cluster.TestPod(namespace, name)
		pod.Spec.NodeName, pod.Spec.Tolerations = node, leavesLostNode()
		lab.Must(t, cluster.Create(t.Context(), account, pod))
	}
	lab.Must(t, cluster.Create(t.Context(), s.servers()...))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, namespace))
	for _, client := range []string{near, far} {
		lab.Must(t, s.awaitServers(t.Context(), client, 2))
	}
	return s
}

// servers returns a Deployment of two servers that prefer different nodes, of which one must always be available.
func (s shop) servers() []client.Object {
	account, pod := cluster.TestPod(s.namespace, server)
	pod.Spec.Containers[0].Args = withoutName(pod.Spec.Containers[0].Args) // servers tell their host names
	pod.Spec.Tolerations = leavesLostNode()
	deployment := lab.Deployment(pod, 2)
	apart := corev1.WeightedPodAffinityTerm{Weight: 100, PodAffinityTerm: corev1.PodAffinityTerm{
		TopologyKey: corev1.LabelHostname, LabelSelector: deployment.Spec.Selector,
	}}
	deployment.Spec.Template.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{apart},
	}}
	one := intstr.FromInt32(1)
	budget := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: server}, Spec: policyv1.PodDisruptionBudgetSpec{
		MinAvailable: &one, Selector: deployment.Spec.Selector,
	}}
	return []client.Object{account, lab.TestService(s.namespace, server), deployment, budget}
}

// leavesLostNode lets Kubernetes delete a pod soon after its node was lost.
func leavesLostNode() []corev1.Toleration {
	return []corev1.Toleration{{
		Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: ptr.To[int64](stay),
	}}
}

func withoutName(args []string) []string {
	var rest []string
	for _, arg := range args {
		if !strings.HasPrefix(arg, "--name=") {
			rest = append(rest, arg)
		}
	}
	return rest
}

func (s shop) url() string {
	return fmt.Sprintf("http://%s.%s:%d/books", server, s.namespace, lab.HTTPPort)
}

// agent returns the agent of a client.
func (s shop) agent(ctx context.Context, name string) *lab.Agent {
	return cluster.Agent(ctx, s.namespace, name, lab.AgentPort)
}

// awaitServers waits until requests of a client succeed and reach so many servers.
func (s shop) awaitServers(ctx context.Context, name string, want int) error {
	return s.awaitServersWithin(ctx, callLimit, name, want)
}

// awaitServersWithin is awaitServers with a time limit.
func (s shop) awaitServersWithin(ctx context.Context, limit time.Duration, name string, want int) error {
	return lab.Until(ctx, limit, fmt.Sprintf("%s reaches %d servers", name, want), func(ctx context.Context) (bool, string, error) {
		result, err := s.agent(ctx, name).Requests(ctx, s.url(), "--count", "12")
		if err != nil {
			return false, "", err
		}
		return result.Outcomes["200"] == result.Requests && len(result.Names) == want, fmt.Sprint(result.Outcomes, result.Names), nil
	})
}

// load is the running requests of a client.
type load struct {
	t       *testing.T
	running *lab.Running[report.Requests]
}

// startLoad lets a client send 50 requests a second.
func (s shop) startLoad(t *testing.T, name string) load {
	t.Helper()
	running, err := s.agent(t.Context(), name).StartRequests(t.Context(), s.url(), "--rate", "50", "--most", "60", "--keep-alive", "--timeout", "90s")
	lab.Must(t, err)
	return load{t, running}
}

// stop ends the requests. More failures than tolerated fail the test.
func (l load) stop(tolerated int) {
	l.t.Helper()
	result, err := l.running.Stop(context.WithoutCancel(l.t.Context()))
	lab.Must(l.t, err)
	l.t.Logf("%d requests, %v, answered by %v", result.Requests, result.Outcomes, result.Names)
	if failed := result.Failed(); failed > tolerated {
		l.t.Errorf("%d requests failed, want at most %d: %+v", failed, tolerated, result.Failures)
	}
	if !result.IsRepresentative() {
		l.t.Errorf("most requests were not sent: %d of %d", result.Skipped, result.Skipped+result.Requests)
	}
}

// nodesOf returns the nodes of ready servers.
func (s shop) nodesOf(ctx context.Context) (map[string]int, error) {
	var pods corev1.PodList
	if err := cluster.Client.List(ctx, &pods, client.InNamespace(s.namespace), client.MatchingLabels{lab.AppLabel: server}); err != nil {
		return nil, err
	}
	found := map[string]int{}
	for i := range pods.Items {
		if pod := &pods.Items[i]; lab.IsReady(pod) && pod.DeletionTimestamp == nil {
			found[pod.Spec.NodeName]++
		}
	}
	return found, nil
}
