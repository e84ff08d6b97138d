package journeys

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func TestJobSucceedsFromFirstRequestAndCompletes(t *testing.T) {
	t.Parallel()
	s := sharedFixture(t)
	runWorker(t, s, meshNamespace(t, "job"), 1, func(pod *corev1.Pod) *corev1.Pod { return pod })
}

// runWorker runs a Job whose pod has a sidecar and sends five requests at once, which all succeed. It returns the pod after the Job has completed. retries is how often
// the pod may fail, and prepare completes it.
func runWorker(t *testing.T, s *fixture, ns string, retries int32, prepare func(*corev1.Pod) *corev1.Pod) *corev1.Pod {
	t.Helper()
	policy := grant{namespace: s.server.namespace, name: ns, destination: "server", source: ns + "/worker", rules: []string{"paths:books"}}.String()
	applyPolicies(t, policy)
	t.Cleanup(func() { _ = cluster.Remove(context.Background(), policy) })

	account, pod := cluster.TestPod(ns, "worker")
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	container := &pod.Spec.Containers[0]
	container.Args, container.ReadinessProbe = []string{"request", s.server.url("/books"), "--count", "5"}, nil
	application := container.Name
	pod = prepare(pod)
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "worker"},
		Spec: batchv1.JobSpec{BackoffLimit: &retries, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels, Annotations: pod.Annotations}, Spec: pod.Spec,
		}},
	}
	lab.Must(t, cluster.Create(t.Context(), account, job))
	lab.Eventually(t, podLimit, "the Job is complete", func(ctx context.Context) (bool, string, error) {
		var now batchv1.Job
		if err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(job), &now); err != nil {
			return false, "", err
		}
		return now.Status.Succeeded == 1, fmt.Sprintf("%+v", now.Status), nil
	})
	var all corev1.PodList
	lab.Must(t, cluster.Client.List(t.Context(), &all, client.InNamespace(ns), client.MatchingLabels{lab.AppLabel: "worker"}))
	if len(all.Items) != 1 || !hasSidecar(&all.Items[0]) {
		t.Fatalf("the Job has %d pods, want one with a sidecar", len(all.Items))
	}
	logs, err := cluster.Logs(t.Context(), ns, all.Items[0].Name, application, 10)
	lab.Must(t, err)
	var result report.Requests
	lab.Must(t, json.Unmarshal([]byte(logs), &result))
	requireNoFailures(t, &result, 5)
	return &all.Items[0]
}

// hasSidecar reports whether a pod has a sidecar.
func hasSidecar(pod *corev1.Pod) bool {
	for _, container := range pod.Spec.InitContainers {
		if container.Name == names.SidecarContainer {
			return true
		}
	}
	return false
}
