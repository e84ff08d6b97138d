package manifests

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// WorkloadKinds are the kinds that make pods, by their names in lower case.
var WorkloadKinds = map[string]schema.GroupVersionKind{
	"deployment":  {Group: "apps", Version: "v1", Kind: "Deployment"},
	"statefulset": {Group: "apps", Version: "v1", Kind: "StatefulSet"},
	"daemonset":   {Group: "apps", Version: "v1", Kind: "DaemonSet"},
	"replicaset":  {Group: "apps", Version: "v1", Kind: "ReplicaSet"},
	"job":         {Group: "batch", Version: "v1", Kind: "Job"},
	"cronjob":     {Group: "batch", Version: "v1", Kind: "CronJob"},
}

// template is the pod template of a workload; nil when the object is none.
func template(workload *unstructured.Unstructured) map[string]any {
	path := []string{"spec", "template"}
	if workload.GetKind() == "CronJob" {
		path = []string{"spec", "jobTemplate", "spec", "template"}
	}
	found, _, _ := unstructured.NestedMap(workload.Object, path...)
	return found
}

// AccountOf is the name of the service account of a workload's pods.
func AccountOf(workload *unstructured.Unstructured) string {
	account, _, _ := unstructured.NestedString(template(workload), "spec", "serviceAccountName")
	if account == "" {
		return "default"
	}
	return account
}

// Workload is what a pod belongs to.
type Workload struct{ Kind, Namespace, Name string }

// String is "<kind> <namespace>/<name>", the kind in lower case.
func (w Workload) String() string { return strings.ToLower(w.Kind) + " " + w.Namespace + "/" + w.Name }

// OwnerOf is the workload of a pod: its controller, or for a ReplicaSet of a Deployment the Deployment; itself without one.
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
