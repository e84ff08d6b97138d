package workload

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// restartCounters are groups of controllers that count restarts of init containers also if the restartPolicy of the pod is Always.
func restartCounters() []string { return []string{"kubeflow.org"} }

// CountedRestarts returns why a restart of the sidecar may end the pod; empty if it does not. A pod whose restartPolicy is OnFailure or Never has an end, and
// its controller decides by what its containers did: a Job with the restartPolicy OnFailure adds the restarts of all init containers to its retries, and
// a sidecar is one of them. A missing restartPolicy is Always, as for the API server.
func CountedRestarts(pod *corev1.Pod) string {
	if policy := pod.Spec.RestartPolicy; policy != "" && policy != corev1.RestartPolicyAlways {
		return fmt.Sprintf("its restartPolicy is %s, so its controller may count a restart of the sidecar as a failure", policy)
	}
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return ""
	}
	for _, group := range restartCounters() {
		if strings.HasPrefix(owner.APIVersion, group+"/") {
			return fmt.Sprintf("its controller, a %s of %s, may count a restart of the sidecar as a failure", owner.Kind, group)
		}
	}
	return ""
}
