package traffic

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

const (
	// LookupInterval is how often kinds are looked up after a change of a definition, for settling. The API server serves a kind shortly
	// after it is defined.
	LookupInterval = time.Second
	settling       = 30 * time.Second
	// RecheckInterval is how often they are looked up otherwise, in case that definitions cannot be watched.
	RecheckInterval = 5 * time.Minute
)

// CacheOptions make a cache keep only the names of definitions.
func CacheOptions() (client.Object, cache.ByObject) {
	return definitionMetadata(), cache.ByObject{Transform: func(object any) (any, error) {
		if definition, ok := object.(*metav1.PartialObjectMetadata); ok {
			definition.Annotations, definition.Labels, definition.ManagedFields = nil, nil, nil
		}
		return object, nil
	}}
}

func definitionMetadata() *metav1.PartialObjectMetadata {
	metadata := &metav1.PartialObjectMetadata{}
	metadata.SetGroupVersionKind(definitionKind)
	return metadata
}

// Watch watches definitions, so that kinds are looked up when one of them changes. It does not wait for the first list: without it kinds are
// looked up less often.
func (d *Definitions) Watch(ctx context.Context, objects cache.Cache) error {
	informer, err := objects.GetInformer(ctx, definitionMetadata(), cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { d.Notify() },
		UpdateFunc: func(any, any) { d.Notify() },
	})
	return err
}

// Notify makes those who wait look up their kinds.
func (d *Definitions) Notify() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.changed)
	d.changed, d.last = make(chan struct{}), time.Now()
}

// next returns a channel that the next change closes, and how long to wait for it before the next look. While definitions still change it is nil: the first
// list of a cluster has hundreds of them, and each would cause a look.
func (d *Definitions) next() (<-chan struct{}, time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.last) < settling {
		return nil, LookupInterval
	}
	return d.changed, RecheckInterval
}

// WhenDefined calls start once the cluster defines some kinds, and returns its error. It returns nil if ctx ends before.
func (d *Definitions) WhenDefined(ctx context.Context, start func() error, required ...schema.GroupVersionKind) error {
	isUndefined := func(kind schema.GroupVersionKind) bool { return !d.IsDefined(kind) }
	if d.wait(ctx, func() bool { return !slices.ContainsFunc(required, isUndefined) }) != nil {
		return nil // the process is stopping
	}
	return start()
}

// Start makes a manager call start once the cluster defines some kinds.
func (d *Definitions) Start(mgr manager.Manager, start func() error, required ...schema.GroupVersionKind) error {
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error { return d.WhenDefined(ctx, start, required...) }))
}

// wait returns once a condition about definitions is true, or with the error of ctx.
func (d *Definitions) wait(ctx context.Context, isTrue func() bool) error {
	for ctx.Err() == nil {
		changed, pause := d.next()
		if isTrue() {
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return ctx.Err()
}

// EnqueueOne enqueues the same request for every object, for a controller that reconciles all of them at once.
func EnqueueOne() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request {
		return []ctrl.Request{{NamespacedName: client.ObjectKey{Name: "all"}}}
	})
}
