package removal

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// scale gives a Deployment a number of replicas, and waits until it has them.
func scale(t *testing.T, namespace, name string, replicas int32) {
	t.Helper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	must(t, cluster.Patch(t.Context(), d, fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas)))
	must(t, lab.Until(t.Context(), podLimit, fmt.Sprintf("%s has %d pods", name, replicas), func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(d), d)
		saw := fmt.Sprintf("%d of them, %d ready", d.Status.Replicas, d.Status.ReadyReplicas)
		return d.Status.ObservedGeneration >= d.Generation && d.Status.Replicas == replicas && d.Status.ReadyReplicas == replicas, saw, err
	}))
}

// withoutOperator takes the operator away until the function that it returns is called.
func withoutOperator(t *testing.T) (back func()) {
	t.Helper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: names.OperatorNamespace, Name: "osm-operator"}}
	must(t, cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(d), d))
	replicas := *d.Spec.Replicas
	scale(t, d.Namespace, d.Name, 0)
	hasEnded(t, d.Namespace, client.MatchingLabels(d.Spec.Selector.MatchLabels))
	returned := false
	back = func() {
		if !returned {
			scale(t, d.Namespace, d.Name, replicas)
			returned = true
		}
	}
	t.Cleanup(func() {
		if !returned {
			_ = cluster.Patch(context.Background(), d, fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas))
		}
	})
	return back
}

// hasEnded waits until pods are gone: a Deployment does not count those that are about to end, and they still do what they do.
func hasEnded(t *testing.T, namespace string, labels client.MatchingLabels) {
	t.Helper()
	must(t, lab.Until(t.Context(), podLimit, "the pods are gone", func(ctx context.Context) (bool, string, error) {
		var pods corev1.PodList
		err := cluster.Client.List(ctx, &pods, client.InNamespace(namespace), labels)
		return len(pods.Items) == 0, fmt.Sprintf("%d pods", len(pods.Items)), err
	}))
}

// starts creates a bare pod and says why the API server refuses it; empty when it was let in, and has then been deleted.
func starts(t *testing.T, namespace, name string) string {
	t.Helper()
	_, pod := cluster.TestPod(namespace, name)
	pod.Spec.ServiceAccountName = "default"
	if err := cluster.Client.Create(t.Context(), pod); err != nil {
		return err.Error()
	}
	must(t, lab.Until(t.Context(), podLimit, "pod "+namespace+"/"+name+" is ready", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return lab.IsReady(pod), string(pod.Status.Phase), err
	}))
	must(t, cluster.Client.Delete(t.Context(), pod, client.GracePeriodSeconds(0)))
	return ""
}

// TestTheWrongOrders takes parts of a mesh away before it, one scenario after the other.
func TestTheWrongOrders(t *testing.T) {
	if full() {
		t.Run("the operator goes first", holdsUpNobodyElse)
		t.Run("the namespace goes first", namespaceFirst)
	}
}

// A mesh that is down holds up its own workloads, and says so; nothing else in the cluster. Its deletion waits for the operator, and
// the operator finishes it.
func holdsUpNobodyElse(t *testing.T) {
	m := newMesh(t, "down", v1alpha1.SidecarsWait)
	buyer := m.pod(m.shop(), "buyer", "")
	outside := m.name + "-outside"
	must(t, cluster.CreateNamespace(t.Context(), outside, ""))
	t.Cleanup(func() { _ = cluster.DeleteNamespace(context.Background(), outside) })
	back := withoutOperator(t)
	scale(t, m.namespace(), names.Injector, 0)
	hasEnded(t, m.namespace(), client.MatchingLabels{"app": names.Injector})
	for _, namespace := range []string{"kube-system", outside, names.OperatorNamespace, m.namespace()} {
		refused := starts(t, namespace, "removal-canary")
		// The operator's namespace has rules of its own for pods, which are not about the mesh.
		if refused != "" && !strings.Contains(refused, "PodSecurity") {
			t.Errorf("a pod in %s cannot start while the injector is down: %s", namespace, refused)
		}
	}
	refused := starts(t, m.shop(), "refused")
	t.Log("in a namespace of the mesh: ", refused)
	if !strings.Contains(refused, "osm-inject.k8s.io") || !strings.Contains(refused, names.Injector) {
		t.Errorf("a pod of the mesh is refused with %q, which does not name the injector", refused)
	}
	// The sidecars that run go on, and the Mesh waits for its operator.
	m.delete()
	if _, err := buyer.Requests(t.Context(), m.url("nobody")); err != nil {
		t.Error(err)
	}
	back()
	m.says(v1alpha1.ReasonWaitingForSidecars, "Pod down-shop/buyer")
	must(t, cluster.Client.Delete(t.Context(), &corev1.Pod{ObjectMeta: m.named("buyer")}))
	must(t, m.gone(t.Context()))
	m.leavesNothing()
}

// Who deletes the namespace of a mesh that is at work holds up no pods, and gets it back: sidecars find the new control plane.
func namespaceFirst(t *testing.T) {
	m := newMesh(t, "homeless", v1alpha1.SidecarsWait)
	must(t, cluster.Put(t.Context(), fmt.Sprintf(policy, m.shop(), "store")))
	m.deploy("store", 1)
	buyer := m.pod(m.shop(), "buyer", "")
	m.ready()
	m.answered(buyer, "store")
	start := time.Now()
	must(t, cluster.DeleteNamespace(t.Context(), m.namespace()))
	must(t, lab.Until(t.Context(), 20*time.Second, "the webhooks go", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.MutatingWebhook(m.name)}, &admissionv1.MutatingWebhookConfiguration{})
		return err != nil, "the webhook is there", client.IgnoreNotFound(err)
	}))
	t.Logf("the webhooks were gone after %s", time.Since(start).Round(100*time.Millisecond))
	must(t, lab.Until(t.Context(), installLimit, "the mesh is installed again", func(ctx context.Context) (bool, string, error) {
		home := &corev1.Namespace{}
		err := cluster.Client.Get(ctx, client.ObjectKey{Name: m.namespace()}, home)
		return err == nil && home.DeletionTimestamp == nil && home.CreationTimestamp.After(start.Add(-time.Second)), m.told(ctx), client.IgnoreNotFound(err)
	}))
	must(t, cluster.MeshReady(t.Context(), m.name, installLimit))
	t.Logf("the mesh was ready again after %s", time.Since(start).Round(time.Second))
	var failed int
	must(t, lab.Until(t.Context(), installLimit, "requests are answered again", func(ctx context.Context) (bool, string, error) {
		result, err := buyer.Requests(ctx, m.url("store"), "--count", "10", "--rate", "10")
		if err != nil {
			return false, "", err
		}
		failed += result.Requests - result.Outcomes["200"]
		return result.Outcomes["200"] == 10, fmt.Sprint(result.Outcomes), nil
	}))
	t.Logf("of the requests after that, %d failed, and all were answered after %s", failed, time.Since(start).Round(time.Second))
	m.pod(m.shop(), "newcomer", "")
	must(t, cluster.DeleteNamespace(t.Context(), m.shop()))
	m.delete()
	must(t, m.gone(t.Context()))
	m.leavesNothing()
}
