package dataplane

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
)

// An informer that takes a failed list for an empty one forgets all objects.
func TestPagesThatCannotBeListed(t *testing.T) {
	broken := errors.New("no connection")
	failing := &cache.ListWatch{ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) { return nil, broken }}
	if _, err := stripPages(failing).ListWithContext(t.Context(), metav1.ListOptions{}); !errors.Is(err, broken) {
		t.Errorf("the error of a list that failed is %v", err)
	}
	odd := &cache.ListWatch{ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) { return &corev1.Pod{}, nil }}
	if _, err := stripPages(odd).ListWithContext(t.Context(), metav1.ListOptions{}); err == nil {
		t.Error("an answer that is no list has no error")
	}
}

// A list at a version is what an informer needs after a watch has ended.
func TestPagesOfAVersion(t *testing.T) {
	asked := ""
	source := &cache.ListWatch{ListWithContextFunc: func(_ context.Context, options metav1.ListOptions) (runtime.Object, error) {
		asked = options.ResourceVersion
		return &corev1.PodList{}, nil
	}}
	if _, err := stripPages(source).ListWithContext(t.Context(), metav1.ListOptions{ResourceVersion: "7"}); err != nil || asked != "7" {
		t.Errorf("the version %q was asked for (%v), want 7", asked, err)
	}
}
