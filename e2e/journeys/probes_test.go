package journeys

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

func TestProbesOfEachContainerReachItsApplication(t *testing.T) {
	t.Parallel()
	ns := meshNamespace(t, "probes")
	account, pod := cluster.TestPod(ns, "two")
	const secondPort, secondAgent = 8081, 7071
	pod.Spec.Containers = append(pod.Spec.Containers, cluster.ToolsContainer("second", "two", secondPort, secondAgent))
	for i, port := range []int32{lab.HTTPPort, secondPort} {
		pod.Spec.Containers[i].LivenessProbe = &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/alive", Port: intstr.FromInt32(port)}},
			PeriodSeconds: 1, FailureThreshold: 3, TimeoutSeconds: 2,
		}
	}
	lab.Must(t, cluster.Create(t.Context(), account, pod))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, ns))
	for i, port := range []int{lab.AgentPort, secondAgent} {
		agent := cluster.Agent(t.Context(), ns, "two", port)
		lab.Must(t, agent.SetHealth(t.Context(), false))
		awaitReadiness(t, pod, i, false)
		lab.Must(t, agent.SetHealth(t.Context(), true))
		awaitReadiness(t, pod, i, true)
	}
	var now corev1.Pod
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(pod), &now))
	for _, status := range now.Status.ContainerStatuses {
		if status.RestartCount > 0 {
			t.Errorf("container %s was restarted, although its liveness probe never failed", status.Name)
		}
	}
}

// awaitReadiness waits until one of the two containers is ready or not, while the other one stays ready.
func awaitReadiness(t *testing.T, pod *corev1.Pod, container int, want bool) {
	t.Helper()
	name := pod.Spec.Containers[container].Name
	lab.Eventually(t, 20*time.Second, fmt.Sprintf("only container %s has readiness %t", name, want), func(ctx context.Context) (bool, string, error) {
		var now corev1.Pod
		if err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(pod), &now); err != nil {
			return false, "", err
		}
		ready := map[string]bool{}
		for _, status := range now.Status.ContainerStatuses {
			ready[status.Name] = status.Ready
		}
		others := true
		for other, is := range ready {
			others = others && (other == name || is)
		}
		return ready[name] == want && others && lab.IsReady(&now) == want, fmt.Sprint(ready), nil
	})
}
