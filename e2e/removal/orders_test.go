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
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// scale sets the number of replicas of a Deployment, and waits for them.
func scale(t *testing.T, namespace, name string, replicas int32) {
	t.Helper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	lab.Must(t, cluster.Patch(t.Context(), d, fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas)))
	lab.Eventually(t, podLimit, fmt.Sprintf("%s has %d pods", name, replicas), func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(d), d)
		observed := fmt.Sprintf("%d of them, %d ready", d.Status.Replicas, d.Status.ReadyReplicas)
		return d.Status.ObservedGeneration >= d.Generation && d.Status.Replicas == replicas && d.Status.ReadyReplicas == replicas, observed, err
	})
}

// withoutOperator stops the operator until the returned function is called.
func withoutOperator(t *testing.T) (restore func()) {
	t.Helper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: names.OperatorNamespace, Name: "osm-operator"}}
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(d), d))
	replicas := *d.Spec.Replicas
	scale(t, d.Namespace, d.Name, 0)
	awaitPodsGone(t, d.Namespace, client.MatchingLabels(d.Spec.Selector.MatchLabels))
	restored := false
	restore = func() {
		if !restored {
			scale(t, d.Namespace, d.Name, replicas)
			restored = true
		}
	}
	t.Cleanup(func() {
		if !restored {
			_ = cluster.Patch(context.Background(), d, fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas))
		}
	})
	return restore
}

// awaitPodsGone waits until pods are gone. A Deployment does not count terminating pods, which still run.
func awaitPodsGone(t *testing.T, namespace string, labels client.MatchingLabels) {
	t.Helper()
	lab.Eventually(t, podLimit, "the pods are gone", func(ctx context.Context) (bool, string, error) {
		var pods corev1.PodList
		err := cluster.Client.List(ctx, &pods, client.InNamespace(namespace), labels)
		return len(pods.Items) == 0, fmt.Sprintf("%d pods", len(pods.Items)), err
	})
}

// tryPod creates a bare pod and returns the API server's error, or "" after the pod was ready and has been deleted.
func tryPod(t *testing.T, namespace, name string) string {
	t.Helper()
	_, pod := cluster.TestPod(namespace, name)
	pod.Spec.ServiceAccountName = "default"
	if err := cluster.Client.Create(t.Context(), pod); err != nil {
		return err.Error()
	}
	lab.Eventually(t, podLimit, "pod "+namespace+"/"+name+" is ready", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return lab.IsReady(pod), string(pod.Status.Phase), err
	})
	lab.Must(t, cluster.Client.Delete(t.Context(), pod, client.GracePeriodSeconds(0)))
	return ""
}

// TestPartsDeletedInWrongOrder deletes parts of a mesh before the mesh, one scenario at a time.
func TestPartsDeletedInWrongOrder(t *testing.T) {
	t.Run("the operator first", func(t *testing.T) {
		lab.RequireFull(t)
		testOperatorFirst(t)
	})
	t.Run("the namespace first", func(t *testing.T) {
		lab.RequireFull(t)
		testNamespaceFirst(t)
	})
}

// A mesh without running injectors blocks only its own workloads, and names the injector. Its deletion waits for the
// operator to return.
func testOperatorFirst(t *testing.T) {
	m := newMesh(t, "down", v1alpha1.SidecarsWait)
	buyer := m.pod(m.shop(), "buyer", "")
	outside := m.name + "-outside"
	lab.Must(t, cluster.CreateNamespace(t.Context(), outside, ""))
	t.Cleanup(func() { _ = cluster.DeleteNamespace(context.Background(), outside) })
	restore := withoutOperator(t)
	scale(t, m.namespace(), names.Injector, 0)
	awaitPodsGone(t, m.namespace(), client.MatchingLabels{"app": names.Injector})
	for _, namespace := range []string{"kube-system", outside, names.OperatorNamespace, m.namespace()} {
		rejection := tryPod(t, namespace, "removal-canary")
		// The operator's namespace has its own admission rules for pods, which do not concern the mesh.
		if rejection != "" && !strings.Contains(rejection, "PodSecurity") {
			t.Errorf("a pod in %s cannot start while the injector is down: %s", namespace, rejection)
		}
	}
	rejection := tryPod(t, m.shop(), "refused")
	t.Log("in a namespace of the mesh: ", rejection)
	if !strings.Contains(rejection, "osm-inject.k8s.io") || !strings.Contains(rejection, names.Injector) {
		t.Errorf("a pod of the mesh is rejected with %q, which does not name the injector", rejection)
	}
	// Running sidecars keep working, and the Mesh waits for its operator.
	m.delete()
	if _, err := buyer.Requests(t.Context(), m.url("nobody")); err != nil {
		t.Error(err)
	}
	restore()
	m.awaitReason(v1alpha1.ReasonWaitingForSidecars, "Pod down-shop/buyer")
	lab.Must(t, cluster.Client.Delete(t.Context(), &corev1.Pod{ObjectMeta: m.objectMeta("buyer")}))
	lab.Must(t, m.awaitGone(t.Context()))
	m.awaitNoObjects()
}

// Deleting the namespace of a running mesh blocks no pods. The namespace is recreated, and sidecars connect to the new
// control plane.
func testNamespaceFirst(t *testing.T) {
	m := newMesh(t, "homeless", v1alpha1.SidecarsWait)
	lab.Must(t, cluster.Put(t.Context(), fmt.Sprintf(policy, m.shop(), "store")))
	m.deploy("store", 1)
	buyer := m.pod(m.shop(), "buyer", "")
	m.awaitReady()
	m.awaitAnswer(buyer, "store")
	start := time.Now()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: m.namespace()}}
	lab.Must(t, cluster.Patch(t.Context(), namespace, `{"metadata":{"annotations":{"operator.openservicemesh.io/allow-deletion":"true"}}}`))
	lab.Must(t, cluster.DeleteNamespace(t.Context(), m.namespace()))
	lab.Eventually(t, 20*time.Second, "the webhooks are gone", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.MutatingWebhook(m.name)}, &admissionv1.MutatingWebhookConfiguration{})
		return err != nil, "the webhook still exists", client.IgnoreNotFound(err)
	})
	t.Logf("the webhooks were gone after %s", time.Since(start).Round(100*time.Millisecond))
	lab.Eventually(t, installLimit, "the mesh is installed again", func(ctx context.Context) (bool, string, error) {
		meshNamespace := &corev1.Namespace{}
		err := cluster.Client.Get(ctx, client.ObjectKey{Name: m.namespace()}, meshNamespace)
		return err == nil && meshNamespace.DeletionTimestamp == nil && meshNamespace.CreationTimestamp.After(start.Add(-time.Second)), m.removalStatus(ctx), client.IgnoreNotFound(err)
	})
	lab.Must(t, cluster.MeshReady(t.Context(), m.name, installLimit))
	t.Logf("the mesh was ready again after %s", time.Since(start).Round(time.Second))
	var failed int
	lab.Eventually(t, installLimit, "requests succeed again", func(ctx context.Context) (bool, string, error) {
		result, err := buyer.Requests(ctx, m.url("store"), "--count", "10", "--rate", "10")
		if err != nil {
			return false, "", err
		}
		failed += result.Requests - result.Outcomes["200"]
		return result.Outcomes["200"] == 10, fmt.Sprint(result.Outcomes), nil
	})
	t.Logf("%d of the following requests failed; all succeeded after %s", failed, time.Since(start).Round(time.Second))
	m.pod(m.shop(), "newcomer", "")
	lab.Must(t, cluster.Put(t.Context(), fmt.Sprintf(reader, m.name)))
	lab.Must(t, cluster.DeleteNamespace(t.Context(), m.shop()))
	m.delete()
	lab.Must(t, m.awaitGone(t.Context()))
	m.awaitNoObjects()
}
