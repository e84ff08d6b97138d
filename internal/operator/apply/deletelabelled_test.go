package apply_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// An object that a policy engine keeps must not keep the others, and the error must name it.
func TestDeleteLabelledGoesOnAfterADenial(t *testing.T) {
	object := func(name string, finalizers ...string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{names.MeshLabel: "osm"}, Finalizers: finalizers}}
	}
	c := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(object("denied"), object("held", "example.org/held"), object("last")).
		WithInterceptorFuncs(interceptor.Funcs{Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			if object.GetName() == "denied" {
				return errors.New("denied by a policy")
			}
			return c.Delete(ctx, object, options...)
		}}).Build()
	left, err := apply.DeleteLabelled(t.Context(), c, "osm", &corev1.ConfigMapList{})
	if err == nil || !strings.Contains(err.Error(), "ConfigMap shop/denied cannot be deleted: denied by a policy") || left.Count != 3 {
		t.Errorf("%d objects were left (%v), want 3 and the denial", left.Count, err)
	}
	left, _ = apply.DeleteLabelled(t.Context(), c, "osm", &corev1.ConfigMapList{})
	if diff := cmp.Diff(apply.Remains{Count: 2, Held: []string{"ConfigMap shop/held (finalizer example.org/held)"}}, left); diff != "" {
		t.Errorf("after the first deletion (-want +got):\n%s", diff)
	}
}
