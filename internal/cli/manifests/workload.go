package manifests

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// WorkloadKinds maps lower-case names to the kinds that create pods.
var WorkloadKinds = map[string]schema.GroupVersionKind{
	"deployment":  {Group: "apps", Version: "v1", Kind: "Deployment"},
	"statefulset": {Group: "apps", Version: "v1", Kind: "StatefulSet"},
	"daemonset":   {Group: "apps", Version: "v1", Kind: "DaemonSet"},
	"replicaset":  {Group: "apps", Version: "v1", Kind: "ReplicaSet"},
	"job":         {Group: "batch", Version: "v1", Kind: "Job"},
	"cronjob":     {Group: "batch", Version: "v1", Kind: "CronJob"},
}

// template returns the pod template of a workload, or nil for other kinds.
func template(workload *unstructured.Unstructured) map[string]any {
	path := []string{"spec", "template"}
	if workload.GetKind() == "CronJob" {
		path = []string{"spec", "jobTemplate", "spec", "template"}
	}
	found, _, _ := unstructured.NestedMap(workload.Object, path...)
	return found
}

// AccountOf returns the service account name of a workload's pods.
func AccountOf(workload *unstructured.Unstructured) string {
	addAccount, _, _ := unstructured.NestedString(template(workload), "spec", "serviceAccountName")
	if addAccount == "" {
		return "default"
	}
	return addAccount
}

// Workload identifies the owner of a pod.
type Workload struct{ Kind, Namespace, Name string }

// String returns "<kind> <namespace>/<name>" with the kind in lower case.
func (w Workload) String() string { return strings.ToLower(w.Kind) + " " + w.Namespace + "/" + w.Name }

// OwnerOf returns the workload of a pod: its controller, or the Deployment of its ReplicaSet. A pod without a controller owns itself.
func OwnerOf(pod *unstructured.Unstructured) Workload {
	w := Workload{"Pod", pod.GetNamespace(), pod.GetName()}
	for _, owner := range pod.GetOwnerReferences() {
		if owner.Controller == nil || !*owner.Controller {
			continue
		}
		w.Kind, w.Name = owner.Kind, owner.Name
		if hash := pod.GetLabels()["pod-template-hash"]; owner.Kind == "ReplicaSet" && hash != "" {
			if name, cut := strings.CutSuffix(owner.Name, "-"+hash); cut {
				w.Kind, w.Name = "Deployment", name
			}
		}
	}
	return w
}
