package apply

import (
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// keepClaimSize keeps the size of a live PersistentVolumeClaim that somebody has enlarged. A volume cannot shrink, so the API server would reject
// the rendered size, again and again.
func keepClaimSize(desired *unstructured.Unstructured, live map[string]any) {
	if desired.GetKind() != "PersistentVolumeClaim" || live == nil {
		return
	}
	path := []string{"spec", "resources", "requests", "storage"}
	rendered, _, _ := unstructured.NestedString(desired.Object, path...)
	current, _, _ := unstructured.NestedString(live, path...)
	request, err := resource.ParseQuantity(rendered)
	if err != nil {
		return
	}
	if size, err := resource.ParseQuantity(current); err == nil && size.Cmp(request) > 0 {
		// The parents of the field exist: it was just read.
		_ = unstructured.SetNestedField(desired.Object, current, path...)
	}
}
