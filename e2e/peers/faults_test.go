package peers

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestPeerGatewayIsReplaced deletes a pod of the peer gateway of each mesh. No request is lost.
func TestPeerGatewayIsReplaced(t *testing.T) {
	lab.RequireFull(t)
	s := deployAdmitted(t, "peers-gateway")
	requests := s.startLoad(t)
	for _, cluster := range []*lab.Cluster{west, east.Cluster} {
		time.Sleep(time.Second)
		pod, err := cluster.Pod(t.Context(), names.DefaultNamespace, names.AppLabel, names.PeerGateway)
		lab.Must(t, err)
		lab.Must(t, cluster.Client.Delete(t.Context(), pod))
		awaitAvailable(t, cluster, names.PeerGateway)
	}
	time.Sleep(5 * time.Second)
	requests.stop()
	west.Record(t, "no request to another mesh is lost while a pod of each peer gateway is deleted")
}

// TestControlPlaneRestartsWhilePeerIsAway cuts the connection of the meshes, and replaces the control plane of the one that imports. Imports stay in
// force, for new pods as well. Requests succeed again when the meshes are connected.
func TestControlPlaneRestartsWhilePeerIsAway(t *testing.T) {
	lab.RequireFull(t)
	s := deployAdmitted(t, "peers-away")
	_, err := west.Kubectl(t.Context(), "wait", "--for=create", "configmap/"+names.PeerStateConfigMap(eastName), "-n", names.DefaultNamespace, "--timeout=1m")
	lab.Must(t, err)
	time.Sleep(stored)
	lab.Must(t, east.Partition(t.Context()))
	t.Cleanup(func() { lab.Must(t, east.Heal(context.WithoutCancel(t.Context()))) })
	s.awaitFailures(t, admitted)
	controllers := client.MatchingLabels{names.AppLabel: names.Controller}
	lab.Must(t, west.Client.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(names.DefaultNamespace), controllers))
	awaitAvailable(t, west, names.Controller)
	s.replaceClient(t)
	if outcomes := s.awaitFailures(t, admitted); outcomes[report.Reset] > 0 {
		t.Errorf("requests of a new pod have the outcomes %v, as if there were no import", outcomes)
	}
	lab.Must(t, east.Heal(t.Context()))
	s.awaitSuccess(t, admitted)
}

// replaceClient replaces the pod of the client that is admitted.
func (s shop) replaceClient(t *testing.T) {
	t.Helper()
	_, pod := west.TestPod(s.namespace, admitted)
	lab.Must(t, west.Client.Delete(t.Context(), pod.DeepCopy()))
	lab.Eventually(t, podLimit, "the client is gone", func(ctx context.Context) (bool, string, error) {
		err := west.Client.Get(ctx, client.ObjectKeyFromObject(pod), &corev1.Pod{})
		return apierrors.IsNotFound(err), "it exists", client.IgnoreNotFound(err)
	})
	lab.Must(t, west.Create(t.Context(), pod))
	lab.Must(t, west.PodsReady(t.Context(), podLimit, s.namespace))
}

// stored is the longest time between a change of what a peer has said and its storage.
const stored = 12 * time.Second

// TestRootOfPeerIsReplaced replaces the root of the mesh that exports. The other mesh follows it, and no request is lost.
func TestRootOfPeerIsReplaced(t *testing.T) {
	lab.RequireFull(t)
	s := deployAdmitted(t, "peers-root")
	requests := s.startLoad(t)
	osm(t, east.Cluster, "alpha", "certificate", "rotate", "--yes", "--timeout", rotationLimit.String())
	time.Sleep(5 * time.Second)
	requests.stop()
	west.Record(t, "no request to another mesh is lost while that replaces its root")
}

// rotationLimit is the time limit for a rotation. Most of it is the time after which pods have changed files, and after which the other mesh acknowledges.
const rotationLimit = 8 * time.Minute

// awaitAvailable waits until all replicas of a Deployment of the mesh are available, and none is being deleted or created.
func awaitAvailable(t *testing.T, cluster *lab.Cluster, name string) {
	t.Helper()
	lab.Eventually(t, podLimit, name+" is available", func(ctx context.Context) (bool, string, error) {
		deployment := &appsv1.Deployment{}
		err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: names.DefaultNamespace, Name: name}, deployment)
		var pods corev1.PodList
		if err == nil {
			err = cluster.Client.List(ctx, &pods, client.InNamespace(names.DefaultNamespace), client.MatchingLabels{names.AppLabel: name})
		}
		ready := 0
		for i := range pods.Items {
			if pod := &pods.Items[i]; pod.DeletionTimestamp == nil && lab.IsReady(pod) {
				ready++
			}
		}
		return ready == int(deployment.Status.Replicas) && ready > 1, fmt.Sprint(ready, " of ", deployment.Status.Replicas, " are ready"), err
	})
}
