package components

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

// A LoadBalancer that a cloud does not release keeps a removal for hours. The status must name it, and what a policy engine answers.
func TestRemovalNamesWhatItWaitsFor(t *testing.T) {
	b := newBench(t)
	b.Components = []component.Component{b.first}
	b.pass()
	service := &corev1.Service{}
	if err := b.Client.Get(t.Context(), client.ObjectKey{Namespace: "osm-system", Name: "first"}, service); err != nil {
		t.Fatal(err)
	}
	service.Finalizers = []string{"service.kubernetes.io/load-balancer-cleanup"}
	if err := b.Client.Update(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	b.Objects = interceptor.NewClient(b.Client.(client.WithWatch), interceptor.Funcs{
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			if object.GetObjectKind().GroupVersionKind().Kind == "ConfigMap" {
				return errors.New("admission webhook denied the request: no deletions")
			}
			return c.Delete(ctx, object, options...)
		},
	})
	b.mesh.Status.Removal = &v1alpha1.RemovalStatus{Phase: v1alpha1.RemovalDeleting}
	for range 2 {
		_, _ = b.teardown(t.Context(), b.mesh)
	}
	if len(b.mesh.Status.Components) != 1 {
		t.Fatalf("the components are %+v, want one that remains", b.mesh.Status.Components)
	}
	got := b.mesh.Status.Components[0].Message
	for _, want := range []string{
		"waiting for Service osm-system/first (finalizer service.kubernetes.io/load-balancer-cleanup)",
		"ConfigMap osm-system/first cannot be deleted: admission webhook denied the request: no deletions",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the message is %q, want it to contain %q", got, want)
		}
	}
}
