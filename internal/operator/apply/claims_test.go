package apply_test

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/internal/operator/apply"
)

// TestEnlargedClaimIsKept has a claim that an administrator has enlarged. The API server does not shrink it, and still accepts a larger size.
func TestEnlargedClaimIsKept(t *testing.T) {
	c := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithInterceptorFuncs(interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, configuration runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			object, _ := configuration.(interface{ UnstructuredContent() map[string]any })
			applied, live := &corev1.PersistentVolumeClaim{}, &corev1.PersistentVolumeClaim{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.UnstructuredContent(), applied); err != nil {
				return err
			}
			if err := c.Get(ctx, client.ObjectKeyFromObject(applied), live); client.IgnoreNotFound(err) != nil {
				return err
			}
			if size := applied.Spec.Resources.Requests.Storage(); size.Cmp(*live.Spec.Resources.Requests.Storage()) < 0 {
				return errors.New("spec.resources.requests.storage: Forbidden: field can not be less than status.capacity")
			}
			return c.Apply(ctx, configuration, opts...)
		},
	}).Build()
	applier := apply.New(c, events.NewFakeRecorder(10))
	owner := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "owner", UID: "uid"}}
	applySize := func(size string) apply.Outcome {
		t.Helper()
		claim := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": map[string]any{
			"resources": map[string]any{"requests": map[string]any{"storage": size}},
		}}}
		claim.SetNamespace("osm-system")
		claim.SetName("osm-prometheus")
		outcome, err := applier.For(owner).Apply(t.Context(), claim)
		if err != nil {
			t.Fatalf("a claim of %s: %v", size, err)
		}
		return outcome
	}
	live := &corev1.PersistentVolumeClaim{}
	read := func() string {
		t.Helper()
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "osm-system", Name: "osm-prometheus"}, live); err != nil {
			t.Fatal(err)
		}
		return live.Spec.Resources.Requests.Storage().String()
	}
	applySize("10Gi")
	read()
	live.Spec.Resources.Requests[corev1.ResourceStorage] = resource.MustParse("20Gi")
	if err := c.Update(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	if outcome := applySize("10Gi"); outcome != apply.Unchanged || read() != "20Gi" {
		t.Errorf("the claim is %s with %s, want it unchanged", outcome, read())
	}
	if outcome := applySize("12Gi"); outcome != apply.Updated || read() != "20Gi" {
		t.Errorf("the claim is %s with %s, want it updated with 20Gi", outcome, read())
	}
	if applySize("30Gi"); read() != "30Gi" {
		t.Errorf("the claim has %s, want 30Gi", read())
	}
}
