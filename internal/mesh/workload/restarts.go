package workload

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// restartCounters are groups of controllers that count restarts of init containers also if the restartPolicy of the pod is Always.
func restartCounters() []string { return []string{"kubeflow.org"} }

// HasEnd reports whether a pod ends when its containers have done their work: its restartPolicy is OnFailure or Never. A missing one is Always, as for the API
// server.
func HasEnd(pod *corev1.Pod) bool {
	policy := pod.Spec.RestartPolicy
	return policy != "" && policy != corev1.RestartPolicyAlways
}

// CountedRestarts returns why a restart of the sidecar may end the pod; empty if it does not. The controller of a pod that has an end decides by what its
// containers did: a Job with the restartPolicy OnFailure adds the restarts of all init containers to its retries, and a sidecar is one of them.
func CountedRestarts(pod *corev1.Pod) string {
	if HasEnd(pod) {
		return fmt.Sprintf("its restartPolicy is %s, so its controller may count a restart of the sidecar as a failure", pod.Spec.RestartPolicy)
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
