package mesh

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// namespaceReconciler returns a reconciler whose cache may lack namespaces, and its pass.
func namespaceReconciler(funcs interceptor.Funcs, objects ...client.Object) (*Reconciler, *pass) {
	c := fake.NewClientBuilder().WithObjects(objects...).WithInterceptorFuncs(funcs).Build()
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
	return &Reconciler{Cluster: &observe.Cluster{Client: c}, Recorder: events.NewFakeRecorder(10)}, &pass{mesh: mesh, desired: desired.Mesh{Name: "osm", Namespace: "osm-system"}}
}

// A Namespace and a Mesh that are applied together arrive in the cache at different times.
func TestNamespaceThatTheCacheLacksIsUsed(t *testing.T) {
	r, p := namespaceReconciler(interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
			return apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, key.Name)
		},
	}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "osm-system"}})
	if err := r.reconcileNamespace(t.Context(), p); err != nil {
		t.Errorf("the namespace exists: %v", err)
	}
	if p.Requeue == 0 {
		t.Error("nothing observes the namespace again")
	}
}

// Argo CD prunes an object that has the instance label of an Application and no owner, because it takes the object for a part of it.
func TestArgoCDDoesNotPruneTheNamespace(t *testing.T) {
	r, p := namespaceReconciler(interceptor.Funcs{})
	if err := r.reconcileNamespace(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	namespace, err := r.Namespace(t.Context(), "osm-system")
	if err != nil || namespace == nil {
		t.Fatalf("the namespace is %v (%v)", namespace, err)
	}
	if instance, labelled := namespace.Labels[names.InstanceLabel]; labelled {
		t.Errorf("the namespace has the instance label %q", instance)
	}
	if namespace.Labels[names.MeshLabel] != "osm" || namespace.Annotations[pruneAnnotation] != "Prune=false" {
		t.Errorf("the namespace has the labels %v and the annotations %v", namespace.Labels, namespace.Annotations)
	}
}
