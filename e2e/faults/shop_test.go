package faults

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// inside is a namespace of the mesh, outside is not.
	inside, outside = "faults-shop", "faults-outside"
	// store has two replicas, which buyer may call.
	store, buyer = "store", "buyer"
	// thief is in the mesh, and no policy allows it anything. outsider has no sidecar.
	thief, outsider = "thief", "outsider"
	// guest gets access for a moment after each fault.
	guest = "guest"
)

// policies allow buyer to call store, and let its sidecar retry.
const policies = `apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: books, namespace: faults-shop}
spec: {matches: [{name: books, pathRegex: /books, methods: [GET]}]}
---
apiVersion: policy.openservicemesh.io/v1alpha1
kind: Retry
metadata: {name: buyer, namespace: faults-shop}
spec:
  source: {kind: ServiceAccount, name: buyer, namespace: faults-shop}
  destinations: [{kind: Service, name: store, namespace: faults-shop}]
  retryPolicy: {retryOn: "5xx,reset", perTryTimeout: 2s, numRetries: 5, retryBackoffBaseInterval: 25ms}
---
`

// grant returns a TrafficTarget that allows a client to call store.
func grant(source string) string {
	return strings.ReplaceAll(`apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: CLIENT, namespace: faults-shop}
spec:
  destination: {kind: ServiceAccount, name: store, namespace: faults-shop}
  sources: [{kind: ServiceAccount, name: CLIENT, namespace: faults-shop}]
  rules: [{kind: HTTPRouteGroup, name: books}]
---
`, "CLIENT", source)
}

// url is what all clients call.
var url = fmt.Sprintf("http://%s.%s:%d/books", store, inside, lab.HTTPPort)

// deployShop deploys the workloads and waits until they are ready.
func deployShop(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	t.Cleanup(func() {
		for _, namespace := range []string{inside, outside} {
			if err := cluster.DeleteNamespace(context.Background(), namespace); err != nil {
				t.Error(err)
			}
		}
	})
	enableRetries(t)
	lab.Must(t, cluster.CreateNamespace(ctx, inside, names.DefaultMesh))
	lab.Must(t, cluster.CreateNamespace(ctx, outside, ""))
	lab.Must(t, cluster.Put(ctx, policies+grant(buyer)))
	for _, name := range []string{buyer, thief, guest} {
		account, pod := cluster.TestPod(inside, name)
		lab.Must(t, cluster.Create(ctx, account, pod))
	}
	account, pod := cluster.TestPod(outside, outsider)
	lab.Must(t, cluster.Create(ctx, account, pod))
	deployStore(t)
	lab.Must(t, cluster.PodsReady(ctx, podLimit, inside))
	lab.Must(t, cluster.PodsReady(ctx, podLimit, outside))
	lab.Must(t, awaitOutcome(ctx, buyer, "200"))
}

// deployStore creates the Deployment of the server.
func deployStore(t *testing.T) {
	t.Helper()
	account, pod := cluster.TestPod(inside, store)
	lab.Must(t, cluster.Create(t.Context(), account, lab.TestService(inside, store), lab.Deployment(pod, 2)))
}

// enableRetries enables Retry policies for the duration of a test.
func enableRetries(t *testing.T) {
	t.Helper()
	config := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: names.DefaultNamespace, Name: names.MeshConfig}}
	set := func(ctx context.Context, enabled bool) error {
		return cluster.Patch(ctx, config.DeepCopy(), fmt.Sprintf(`{"spec":{"featureFlags":{"enableRetryPolicy":%t}}}`, enabled))
	}
	lab.Must(t, set(t.Context(), true))
	t.Cleanup(func() {
		if err := set(context.Background(), false); err != nil {
			t.Error(err)
		}
	})
}

// awaitOutcome waits until the requests of a client have an outcome. Each call connects to the client anew.
func awaitOutcome(ctx context.Context, name, want string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, err := agentOf(ctx, inside, name).AwaitOutcome(ctx, wellLimit, url, want)
	return err
}

// agentOf returns the agent of a pod. Its connection ends with ctx.
func agentOf(ctx context.Context, namespace, name string) *lab.Agent {
	return cluster.Agent(ctx, namespace, name, lab.AgentPort)
}

// awaitWell waits until all parts are ready, the buyer's requests succeed, and a permission takes effect and is withdrawn again.
func awaitWell(ctx context.Context) error {
	if err := cluster.Available(ctx, wellLimit, names.OperatorNamespace, names.DefaultNamespace, inside); err != nil {
		return err
	}
	if err := cluster.PodsReady(ctx, wellLimit, inside); err != nil {
		return err
	}
	if err := cluster.MeshReady(ctx, names.DefaultMesh, wellLimit); err != nil {
		return err
	}
	if err := awaitOutcome(ctx, buyer, "200"); err != nil {
		return err
	}
	if err := cluster.Put(ctx, grant(guest)); err != nil {
		return err
	}
	if err := awaitOutcome(ctx, guest, "200"); err != nil {
		return err
	}
	if err := cluster.Remove(ctx, grant(guest)); err != nil {
		return err
	}
	return awaitOutcome(ctx, guest, report.Reset)
}

// nodeLimit is the time limit for Kubernetes to let a node have new pods again. Where the API server rejects the removal of a taint, it is removed at the next
// report of the node (nodeStatusReportFrequency of the kubelet), five minutes later.
const nodeLimit = 6 * time.Minute

// awaitSchedulable waits until no node has a taint of a fault. New pods of the next fault would wait for it, and not for the mesh.
func awaitSchedulable(ctx context.Context) error {
	return lab.Until(ctx, nodeLimit, "nodes have new pods", func(ctx context.Context) (bool, string, error) {
		var nodes corev1.NodeList
		if err := cluster.Client.List(ctx, &nodes); err != nil {
			return false, "", err
		}
		for _, node := range nodes.Items {
			if len(node.Spec.Taints) > 0 {
				return false, fmt.Sprintf("node %s has the taints %v", node.Name, node.Spec.Taints), nil
			}
		}
		return true, "", nil
	})
}

// podsOf returns the running pods of an app.
func podsOf(t *testing.T, namespace, app string) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	lab.Must(t, cluster.Client.List(t.Context(), &list, client.InNamespace(namespace), client.MatchingLabels{lab.AppLabel: app}))
	var running []corev1.Pod
	for _, pod := range list.Items {
		if pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
			running = append(running, pod)
		}
	}
	if len(running) == 0 {
		t.Fatalf("no pod of %s/%s runs", namespace, app)
	}
	return running
}

// wait waits for a duration, or until the test ends. The duration of a fault is itself under test.
func wait(t *testing.T, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}
