package dataplane

import (
	"context"
	"testing"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllertest"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// requestedMeshes is a queue that keeps the meshes whose reconciliation was requested.
type requestedMeshes struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
	names []string
}

func (q *requestedMeshes) Add(r reconcile.Request) { q.names = append(q.names, r.Name) }

func (q *requestedMeshes) AddAfter(r reconcile.Request, _ time.Duration) { q.Add(r) }

// take returns the meshes that were requested since it was called last.
func (q *requestedMeshes) take() []string {
	names := q.names
	q.names = nil
	return names
}

// drivenCache has informers whose events come from a test.
type drivenCache struct {
	cache.Cache
	informers informertest.FakeInformers
}

func (c *drivenCache) GetInformer(ctx context.Context, object client.Object, o ...cache.InformerGetOption) (cache.Informer, error) {
	return c.informers.GetInformer(ctx, object, o...)
}

func (*drivenCache) WaitForCacheSync(context.Context) bool { return true }

// informer returns the one for the kind of an object.
func (c *drivenCache) informer(t *testing.T, object client.Object) *controllertest.FakeInformer {
	t.Helper()
	informer, err := c.informers.FakeInformerFor(t.Context(), object)
	if err != nil {
		t.Fatal(err)
	}
	return informer
}

// begin starts a source, and returns what it requests.
func begin(t *testing.T, s source.Source) *requestedMeshes {
	t.Helper()
	queue := &requestedMeshes{}
	if err := s.Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	if syncing, ok := s.(source.SyncingSource); ok {
		if err := syncing.WaitForSync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return queue
}
