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
	// LookupInterval is how often kinds are looked up after a change of their definition, for settling. The API server serves a kind shortly
	// after it is defined. A look at a kind that is absent costs a discovery, so changes of other definitions cause none.
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
		AddFunc:    d.notify,
		UpdateFunc: func(_, definition any) { d.notify(definition) },
	})
	return err
}

func (d *Definitions) notify(object any) {
	if definition, ok := object.(*metav1.PartialObjectMetadata); ok {
		d.Notify(definition.Name)
	}
}

// Notify makes whoever waits for a kind look it up, after its definition of the given name has changed.
func (d *Definitions) Notify(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changes[name] = time.Now()
	close(d.changed)
	d.changed = make(chan struct{})
}

// next returns a channel that the next change closes, and how long to wait before the next look at kinds. While their definitions still change the channel is
// nil: looks at each change would be too many. Before the first list nobody knows what has changed.
func (d *Definitions) next(required []schema.GroupVersionKind) (<-chan struct{}, time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.latest(required)) < settling {
		return nil, LookupInterval
	}
	return d.changed, RecheckInterval
}

// latest returns the time of the latest change of the definitions of kinds. The caller holds the lock.
func (d *Definitions) latest(required []schema.GroupVersionKind) time.Time {
	if len(d.changes) == 0 {
		return d.started
	}
	var latest time.Time
	for _, kind := range required {
		if at := d.changes[definitionName(kind)]; at.After(latest) {
			latest = at
		}
	}
	return latest
}

// WhenDefined calls start once the cluster defines some kinds, and returns its error. It returns nil if ctx ends before.
func (d *Definitions) WhenDefined(ctx context.Context, start func() error, required ...schema.GroupVersionKind) error {
	isUndefined := func(kind schema.GroupVersionKind) bool { return !d.IsDefined(kind) }
	if d.wait(ctx, func() bool { return !slices.ContainsFunc(required, isUndefined) }, required...) != nil {
		return nil // the process is stopping
	}
	return start()
}

// Start makes a manager call start once the cluster defines some kinds.
func (d *Definitions) Start(mgr manager.Manager, start func() error, required ...schema.GroupVersionKind) error {
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error { return d.WhenDefined(ctx, start, required...) }))
}

// wait returns once a condition about definitions of kinds is true, or with the error of ctx.
func (d *Definitions) wait(ctx context.Context, isTrue func() bool, required ...schema.GroupVersionKind) error {
	for ctx.Err() == nil {
		changed, pause := d.next(required) // before the look, which would miss a change otherwise
		if isTrue() {
			return nil
		}
		d.pause(ctx, changed, pause, required)
	}
	return ctx.Err()
}

// pause waits for a change of the definitions of kinds, at most for the given time.
func (d *Definitions) pause(ctx context.Context, changed <-chan struct{}, pause time.Duration, required []schema.GroupVersionKind) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for concerned := false; !concerned; {
		select {
		case <-changed:
			changed, pause = d.next(required)
			concerned = pause == LookupInterval
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// EnqueueOne enqueues the same request for every object, for a controller that reconciles all of them at once.
func EnqueueOne() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request {
		return []ctrl.Request{{NamespacedName: client.ObjectKey{Name: "all"}}}
	})
}
