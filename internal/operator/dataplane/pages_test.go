package dataplane

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
)

// TestListsAreStrippedPageByPage lists two pages as an informer does. No list of everything is asked for, and the second page is read when the first one has
// nothing any more that this package does not read.
func TestListsAreStrippedPageByPage(t *testing.T) {
	pod := func() corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{Volumes: []corev1.Volume{{Name: "settings"}}}}
	}
	var earlier *corev1.PodList
	source := &cache.ListWatch{ListWithContextFunc: func(_ context.Context, options metav1.ListOptions) (runtime.Object, error) {
		if options.ResourceVersion == "0" {
			t.Error("an API server returns all objects at once for the resource version 0")
		}
		if earlier != nil {
			checkStripped(t, earlier)
		}
		earlier = &corev1.PodList{Items: []corev1.Pod{pod(), pod()}}
		return earlier, nil
	}}
	objects := stripPages(source)
	for _, options := range []metav1.ListOptions{{Limit: 500, ResourceVersion: "0"}, {Limit: 500, Continue: "next"}} {
		list, err := objects.ListWithContext(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		checkStripped(t, list.(*corev1.PodList))
	}
}

func checkStripped(t *testing.T, list *corev1.PodList) {
	t.Helper()
	for i := range list.Items {
		if len(list.Items[i].Spec.Volumes) > 0 || list.Items[i].Name != "p" {
			t.Errorf("pod %d is %+v", i, list.Items[i])
		}
	}
}
