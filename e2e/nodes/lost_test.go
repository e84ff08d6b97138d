package nodes

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// grace is after how long without a report a node counts as lost here, and stay is how many seconds pods stay on one. Kubernetes has 50 and 300 s.
	grace = 20 * time.Second
	stay  = 20
	// lossLimit is the time limit until Kubernetes notices a loss, and until it has replaced the pods.
	lossLimit = 90 * time.Second
	// waiting is how many requests may be under way to the lost server: one for each connection of HTTP/1.1.
	waiting = 60
)

// TestNodeNeverReturns lets a node vanish for good. Its server is replaced on the other node. Its pods end in the API only with the node object, and count no
// more before that: neither for the status of the mesh, nor for the command line. Requests on connections to the lost server get no answer, and nothing says so:
// they wait, unless the client has a Retry with a time for each attempt.
func TestNodeNeverReturns(t *testing.T) {
	lab.RequireFull(t)
	requireLocal(t)
	cluster.Record(t, "a node vanishes for good: no request with a Retry is lost, and its pods count no more once Kubernetes deletes them")
	moveControlPlane(t)
	lab.Must(t, cluster.SetNodeGrace(t.Context(), os.Stderr, grace))
	t.Cleanup(func() { lab.Must(t, cluster.SetNodeGrace(context.WithoutCancel(t.Context()), os.Stderr, 0)) })
	s := deploy(t, "nodes-lost")
	t.Cleanup(func() { replaceSecond(t) })
	s.startCareful(t)
	plain, retried := s.startLoad(t, near), s.startLoad(t, careful)
	time.Sleep(2 * time.Second)
	lost := time.Now()
	lab.Must(t, second.Lose(t.Context()))
	since := func(what string) { t.Logf("%5.1fs after the loss: %s", time.Since(lost).Seconds(), what) }

	lab.Eventually(t, lossLimit, "the node is lost", isLost)
	since("Kubernetes marks the node as lost")
	lab.Eventually(t, 10*time.Second, "the status names sidecars of the lost node", osmPrints(1, []string{"far", "not connected"}, nil, "proxy", "status", "-n", s.namespace))
	lab.Eventually(t, 10*time.Second, "the check names pods of the lost node", osmPrints(0, []string{"far", "whose node does not report"}, nil, "check"))
	s.requireReady(t)

	lab.Eventually(t, lossLimit, "both servers run on the first node", func(ctx context.Context) (bool, string, error) {
		found, err := s.nodesOf(ctx)
		return found[lab.FirstNode] == 2, fmt.Sprint(found), err
	})
	since("the server of the lost node is replaced")
	s.requireReady(t)
	lab.Eventually(t, 10*time.Second, "no sidecar is disconnected", osmPrints(0, nil, []string{"far", "not connected"}, "proxy", "status", "-n", s.namespace))
	lab.Eventually(t, 10*time.Second, "the check has no complaint", osmPrints(0, nil, []string{"whose node does not report"}, "check"))
	s.checkCounted(t)
	lab.Must(t, s.awaitServers(t.Context(), near, 2))
	retried.stop(0)
	plain.stop(waiting)
}

// careful is a client with a Retry, on the first node.
const careful = "careful"

// startCareful starts it. Each of its attempts has two seconds.
func (s shop) startCareful(t *testing.T) {
	t.Helper()
	config := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: names.DefaultNamespace, Name: names.MeshConfig}}
	enable := `{"spec":{"featureFlags":{"enableRetryPolicy":%t}}}`
	lab.Must(t, cluster.Patch(t.Context(), config, fmt.Sprintf(enable, true)))
	t.Cleanup(func() {
		lab.Must(t, cluster.Patch(context.WithoutCancel(t.Context()), config, fmt.Sprintf(enable, false)))
	})
	account, pod := cluster.TestPod(s.namespace, careful)
	pod.Spec.NodeName = lab.FirstNode
	lab.Must(t, cluster.Create(t.Context(), account, pod))
	lab.Must(t, cluster.Put(t.Context(), s.grant(careful)+fmt.Sprintf(retry, careful, s.namespace, server)))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, s.namespace))
	lab.Must(t, s.awaitServers(t.Context(), careful, 2))
	_, err := cluster.Kubectl(t.Context(), "wait", "--namespace", s.namespace, "--for=condition=Accepted", "retry/"+careful, "--timeout=30s")
	lab.Must(t, err)
	time.Sleep(2 * time.Second) // sidecars apply it
}

// retry is the Retry of a client.
const retry = `apiVersion: policy.openservicemesh.io/v1alpha1
kind: Retry
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  source: {kind: ServiceAccount, name: %[1]s, namespace: %[2]s}
  destinations: [{kind: Service, name: %[3]s, namespace: %[2]s}]
  retryPolicy: {retryOn: "5xx,reset", perTryTimeout: 2s, numRetries: 3, retryBackoffBaseInterval: 25ms}
`

// moveControlPlane moves operator and control plane to the first node, if one of their pods is elsewhere: those of a lost node are replaced after five minutes.
func moveControlPlane(t *testing.T) {
	t.Helper()
	if there, _, err := isControlPlaneOn(t.Context(), lab.FirstNode); err == nil && there {
		return
	}
	lab.Must(t, second.Cordon(t.Context()))
	lab.Must(t, restartControlPlane(t.Context()))
	lab.Must(t, awaitControlPlane(t.Context(), lab.FirstNode))
	lab.Must(t, second.Uncordon(t.Context()))
	lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, installLimit))
}

// replaceSecond deletes a lost node, and lets a new machine join.
func replaceSecond(t *testing.T) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	_, err := cluster.Kubectl(ctx, "delete", "node", second.Name)
	lab.Must(t, err)
	second, err = cluster.JoinNode(ctx, os.Stderr, machine)
	lab.Must(t, err)
}

// requireReady requires that the mesh is ready, and no sidecar is outdated.
func (s shop) requireReady(t *testing.T) {
	t.Helper()
	lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, callLimit))
	if counted := proxies(t); counted.Outdated != 0 {
		t.Errorf("%d sidecars are outdated, want none", counted.Outdated)
	}
}

// checkCounted requires that the status of the mesh counts the pods that go on, of which there are four.
func (s shop) checkCounted(t *testing.T) {
	t.Helper()
	var all corev1.PodList
	lab.Must(t, cluster.Client.List(t.Context(), &all, client.InNamespace(s.namespace)))
	if counted := proxies(t); counted.Total != 4 || counted.Ready != 4 {
		t.Errorf("the status counts %d sidecars, %d of them ready, want 4; the API has %d pods", counted.Total, counted.Ready, len(all.Items))
	}
}

// proxies returns the counts of the mesh.
func proxies(t *testing.T) v1alpha1.ProxyCounts {
	t.Helper()
	mesh := &v1alpha1.Mesh{}
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Name: names.DefaultMesh}, mesh))
	if mesh.Status.Proxies == nil {
		t.Fatal("no sidecars are counted")
	}
	return *mesh.Status.Proxies
}

// isLost is a check of lab.Until: whether Kubernetes knows that the second node does not report.
func isLost(ctx context.Context) (bool, string, error) {
	node := &corev1.Node{}
	err := cluster.Client.Get(ctx, client.ObjectKey{Name: second.Name}, node)
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionUnknown, string(condition.Status), err
		}
	}
	return false, "no condition", err
}
