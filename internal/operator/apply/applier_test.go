package apply_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
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

func configMap(namespace string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"key": "value"}}}
	object.SetNamespace(namespace)
	object.SetName("trust")
	return object
}

func TestApplyAllContinuesAfterAFailure(t *testing.T) {
	quota := errors.New("exceeded quota")
	c := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithInterceptorFuncs(interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, configuration runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if object, ok := configuration.(interface{ GetNamespace() string }); ok && strings.HasPrefix(object.GetNamespace(), "full") {
				return quota
			}
			return c.Apply(ctx, configuration, opts...)
		},
	}).Build()
	applier := apply.New(c, events.NewFakeRecorder(10))
	owner := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "owner", UID: "uid"}}

	err := applier.ApplyAll(t.Context(), owner, []*unstructured.Unstructured{configMap("full-1"), configMap("good"), configMap("full-2")})
	if !errors.Is(err, quota) {
		t.Fatalf("error = %v, want the error of the API server", err)
	}
	for _, name := range []string{"ConfigMap full-1/trust cannot be applied: exceeded quota", "ConfigMap full-2/trust cannot be applied: exceeded quota"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not contain %q", err, name)
		}
	}
	var failed *apply.ObjectError
	if !errors.As(err, &failed) || failed.Namespace != "full-1" {
		t.Errorf("the first failed object is %+v, want namespace full-1", failed)
	}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "good", Name: "trust"}, &corev1.ConfigMap{}); err != nil {
		t.Errorf("the object after the failure was not applied: %v", err)
	}
}

func TestSetControllerRejectsAMissingOwner(t *testing.T) {
	var namespace *corev1.Namespace
	for name, owner := range map[string]client.Object{"nil": nil, "nil pointer": namespace, "without UID": &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "new"}}} {
		if err := apply.SetController(owner, scheme.Scheme, configMap("shop")); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
