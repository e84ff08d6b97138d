package nodes

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// requireLocal skips a test if the cluster has no simulated node.
func requireLocal(t *testing.T) {
	t.Helper()
	if second == nil {
		t.Skip("nodes can be added to the local cluster only")
	}
}

// TestNodeIsDrained drains a node with a server and a client. The client of the other node loses no request.
func TestNodeIsDrained(t *testing.T) {
	requireLocal(t)
	cluster.Record(t, "no request is lost while a node is drained")
	s := deploy(t, "nodes-drained")
	requests := s.startLoad(t, near)
	t.Cleanup(func() { lab.Must(t, second.Uncordon(context.WithoutCancel(t.Context()))) })
	lab.Must(t, second.Drain(t.Context()))
	lab.Eventually(t, podLimit, "both servers run on the first node", func(ctx context.Context) (bool, string, error) {
		found, err := s.nodesOf(ctx)
		return found[lab.FirstNode] == 2, fmt.Sprint(found), err
	})
	time.Sleep(2 * time.Second)
	requests.stop(0)
}

// TestNodeRestarts kills everything on a node and starts it again. Its pods keep their names, and get other addresses and new containers.
func TestNodeRestarts(t *testing.T) {
	requireLocal(t)
	cluster.Record(t, "no request is lost while a node restarts")
	s := deploy(t, "nodes-restarted")
	requests := s.startLoad(t, near)
	time.Sleep(time.Second)
	lab.Must(t, second.Reboot(t.Context()))
	lab.Eventually(t, podLimit, "the servers of both nodes are ready", func(ctx context.Context) (bool, string, error) {
		found, err := s.nodesOf(ctx)
		return found[lab.FirstNode] == 1 && found[second.Name] == 1, fmt.Sprint(found), err
	})
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, s.namespace))
	lab.Must(t, s.awaitServers(t.Context(), near, 2))
	lab.Must(t, s.awaitServers(t.Context(), far, 2))
	requests.stop(0)
}

// TestControlPlaneMoves moves operator, control plane and injector to the second node and back, while a client calls a server. Afterwards pods get sidecars,
// and policies take effect: the API server reaches the webhooks on the other node.
func TestControlPlaneMoves(t *testing.T) {
	requireLocal(t)
	cluster.Record(t, "no request is lost while the control plane moves to another node")
	s := deploy(t, "nodes-control-plane")
	requests := s.startLoad(t, near)
	first := cluster.Node(lab.FirstNode)
	t.Cleanup(func() { lab.Must(t, first.Uncordon(context.WithoutCancel(t.Context()))) })
	for _, step := range []struct {
		leaves *lab.Node
		to     string
	}{{first, second.Name}, {second, lab.FirstNode}} {
		lab.Must(t, step.leaves.Cordon(t.Context()))
		lab.Must(t, restartControlPlane(t.Context()))
		lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, installLimit))
		lab.Must(t, awaitControlPlane(t.Context(), step.to))
		lab.Must(t, step.leaves.Uncordon(t.Context()))
		s.probe(t, step.to)
	}
	requests.stop(0)
}

// restartControlPlane restarts the Deployments of the operator and of the mesh.
func restartControlPlane(ctx context.Context) error {
	for _, namespace := range []string{names.OperatorNamespace, names.DefaultNamespace} {
		if _, err := cluster.Kubectl(ctx, "rollout", "restart", "deployment", "--namespace", namespace); err != nil {
			return err
		}
		if _, err := cluster.Kubectl(ctx, "rollout", "status", "deployment", "--namespace", namespace, "--timeout", podLimit.String()); err != nil {
			return err
		}
	}
	return nil
}

// awaitControlPlane waits until all pods of the operator and of the mesh run on a node.
func awaitControlPlane(ctx context.Context, node string) error {
	return lab.Until(ctx, podLimit, "the control plane runs on "+node, func(ctx context.Context) (bool, string, error) { return isControlPlaneOn(ctx, node) })
}

// isControlPlaneOn reports whether all pods of the operator and of the mesh run on a node, or names one that does not.
func isControlPlaneOn(ctx context.Context, node string) (bool, string, error) {
	for _, namespace := range []string{names.OperatorNamespace, names.DefaultNamespace} {
		var pods corev1.PodList
		if err := cluster.Client.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
			return false, "", err
		}
		for i := range pods.Items {
			if pod := &pods.Items[i]; pod.Spec.NodeName != node || !lab.IsReady(pod) {
				return false, fmt.Sprintf("pod %s of node %s, ready: %t", pod.Name, pod.Spec.NodeName, lab.IsReady(pod)), nil
			}
		}
	}
	return true, "", nil
}

// probe starts a client, which gets a sidecar, and whose permission takes effect.
func (s shop) probe(t *testing.T, name string) {
	t.Helper()
	account, pod := cluster.TestPod(s.namespace, "client-of-"+name)
	lab.Must(t, cluster.Create(t.Context(), account, pod))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, s.namespace))
	lab.Must(t, cluster.Put(t.Context(), s.grant(account.Name)))
	lab.Must(t, s.awaitServers(t.Context(), account.Name, 2))
}

const (
	// cut is how long a node is cut off: longer than sidecars take to notice it, by the timeout for data or a ping.
	cut = 50 * time.Second
	// ejection is how long sidecars avoid a server afterwards that they could not reach, and the time for requests to it.
	ejection = 90 * time.Second
)

// TestNodeIsCutOff lets a node lose all packets for a while. Nobody says that its server is gone, and packets get no answer: requests to it wait until the client's
// sidecar ends its connection, and are repeated at the other server.
func TestNodeIsCutOff(t *testing.T) {
	lab.RequireFull(t)
	requireLocal(t)
	cluster.Record(t, "no request is lost while a node loses all packets for 50 seconds")
	s := deploy(t, "nodes-cut")
	requests := s.startLoad(t, near)
	time.Sleep(time.Second)
	lab.Must(t, second.Partition(t.Context()))
	time.Sleep(cut)
	lab.Must(t, second.Heal(t.Context()))
	lab.Must(t, s.awaitServersWithin(t.Context(), ejection, near, 2))
	lab.Must(t, s.awaitServersWithin(t.Context(), ejection, far, 2))
	requests.stop(0)
}
