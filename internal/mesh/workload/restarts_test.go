package workload_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
)

// TestCountedRestarts has the pods of controllers that are common in clusters. Each of them either ends with its restarts, or serves for ever.
func TestCountedRestarts(t *testing.T) {
	for name, test := range map[string]struct {
		apiVersion, kind string
		policy           corev1.RestartPolicy
		want             string
	}{
		"a Deployment":                 {"apps/v1", "ReplicaSet", corev1.RestartPolicyAlways, ""},
		"a pod without defaults":       {"apps/v1", "ReplicaSet", "", ""},
		"a bare pod":                   {"", "", corev1.RestartPolicyAlways, ""},
		"a bare pod with an end":       {"", "", corev1.RestartPolicyNever, "restartPolicy is Never"},
		"a Job":                        {"batch/v1", "Job", corev1.RestartPolicyOnFailure, "restartPolicy is OnFailure"},
		"a Job without restarts":       {"batch/v1", "Job", corev1.RestartPolicyNever, "restartPolicy is Never"},
		"a step of Argo Workflows":     {"argoproj.io/v1alpha1", "Workflow", corev1.RestartPolicyNever, "restartPolicy is Never"},
		"a worker of KubeRay, scaled":  {"ray.io/v1", "RayCluster", corev1.RestartPolicyNever, "restartPolicy is Never"},
		"a worker of a training":       {"kubeflow.org/v1", "PyTorchJob", corev1.RestartPolicyAlways, "a PyTorchJob of kubeflow.org"},
		"a controller of another name": {"notkubeflow.org/v1", "Server", corev1.RestartPolicyAlways, ""},
	} {
		pod := &corev1.Pod{Spec: corev1.PodSpec{RestartPolicy: test.policy}}
		if test.kind != "" {
			pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: test.apiVersion, Kind: test.kind, Name: "x", Controller: new(true)}}
		}
		if got := workload.CountedRestarts(pod); (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
