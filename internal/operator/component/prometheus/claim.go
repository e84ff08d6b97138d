package prometheus

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// unboundClaim describes the live claim for the samples if it has no volume; empty if it has one, or without a claim. The pod does not start
// without the volume.
func unboundClaim(live []*unstructured.Unstructured) string {
	for _, object := range live {
		if object.GetKind() != "PersistentVolumeClaim" {
			continue
		}
		if phase, _, _ := unstructured.NestedString(object.Object, "status", "phase"); phase == "Bound" {
			continue
		}
		class, _, _ := unstructured.NestedString(object.Object, "spec", "storageClassName")
		of := "no StorageClass"
		if class != "" {
			of = "the StorageClass " + class
		}
		return fmt.Sprintf("the PersistentVolumeClaim %s/%s with %s has no volume: see kubectl describe persistentvolumeclaim -n %s %s",
			object.GetNamespace(), object.GetName(), of, object.GetNamespace(), object.GetName())
	}
	return ""
}
