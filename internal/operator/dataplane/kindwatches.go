package dataplane

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

const (
	// discoveryPeriod is how long the answer is used whether a kind is served.
	discoveryPeriod = time.Minute
	// absencePeriod is how long the answer is used that a kind is not served, if workloads of the kind have pods. Their controller knows the kind, so the
	// answer is probably from before its installation. An upgrade would end without them: it does not wait for workloads that cannot be read.
	absencePeriod = 2 * time.Second
	// syncTimeout is how long the first look at a kind waits for its objects.
	syncTimeout = 5 * time.Second
)

// discoverer reports the kinds that an API server serves.
type discoverer interface {
	ServerResourcesForGroupVersion(version string) (*metav1.APIResourceList, error)
}

// kindWatches watches the kinds of other projects, as long as the API server serves them. Their absence is no fault.
type kindWatches struct {
	cache  cache.Cache
	kinds  discoverer
	meshOf func(ctx context.Context, namespace string) string
	now    func() time.Time

	mu      sync.Mutex
	answers map[schema.GroupVersionKind]answer
	watched map[schema.GroupVersionKind]cache.Informer
	queues  []workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// answer is whether a kind is served, and when discovery was asked.
type answer struct {
	served bool
	asked  time.Time
}

func newKindWatches(objects cache.Cache, kinds discoverer, meshOf func(context.Context, string) string, now func() time.Time) *kindWatches {
	return &kindWatches{
		cache: objects, kinds: kinds, meshOf: meshOf, now: now,
		answers: map[schema.GroupVersionKind]answer{}, watched: map[schema.GroupVersionKind]cache.Informer{},
	}
}

// unreadError is why the objects of a kind cannot be read at the moment.
type unreadError struct {
	kind   schema.GroupVersionKind
	reason error
}

// Error names the kind.
func (e *unreadError) Error() string {
	return fmt.Sprintf("objects of the kind %s cannot be read: %v", nameOf(e.kind), e.reason)
}

// Unwrap returns the reason.
func (e *unreadError) Unwrap() error { return e.reason }

var (
	errNotServed = errors.New("the API server does not serve it")
	errNotSynced = errors.New("the operator has not received them: check whether its ClusterRole permits to list and watch them")
)

// ensure watches a kind, and returns an *unreadError if its objects cannot be read. Without the permission to list them, a read of the cache would
// wait for ever. An answer of discovery that the kind is not served is used again until it is older than absence.
func (w *kindWatches) ensure(ctx context.Context, kind schema.GroupVersionKind, absence time.Duration) error {
	informer, started, err := w.informer(ctx, kind, absence)
	if err != nil {
		return &unreadError{kind, err}
	}
	if started {
		// The rollout must not take workloads for unreadable because the operator has just started.
		_ = wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, syncTimeout, true, func(context.Context) (bool, error) { return informer.HasSynced(), nil })
	}
	if !informer.HasSynced() {
		return &unreadError{kind, errNotSynced}
	}
	return nil
}

// informer returns the informer of a kind. started is true if it was started now.
func (w *kindWatches) informer(ctx context.Context, kind schema.GroupVersionKind, absence time.Duration) (informer cache.Informer, started bool, err error) {
	served, err := w.isServed(kind, absence)
	w.mu.Lock()
	defer w.mu.Unlock()
	informer, watched := w.watched[kind]
	switch {
	case err != nil:
		return nil, false, err
	case !served && watched:
		delete(w.watched, kind)
		return nil, false, errors.Join(errNotServed, w.cache.RemoveInformer(ctx, newUnstructured(kind, "", "")))
	case !served:
		return nil, false, errNotServed
	case watched:
		return informer, false, nil
	}
	informer, err = w.cache.GetInformer(ctx, newUnstructured(kind, "", ""), cache.BlockUntilSynced(false))
	if err != nil {
		return nil, false, err
	}
	if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{UpdateFunc: w.onUpdate}); err != nil {
		return nil, false, err
	}
	w.watched[kind] = informer
	return informer, true, nil
}

// release ends the watch of a kind, which ensure starts again.
func (w *kindWatches) release(ctx context.Context, kind schema.GroupVersionKind) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, watched := w.watched[kind]; !watched {
		return nil
	}
	delete(w.watched, kind)
	return w.cache.RemoveInformer(ctx, newUnstructured(kind, "", ""))
}

// isServed asks discovery whether a kind is served, unless the latest answer is new enough.
func (w *kindWatches) isServed(kind schema.GroupVersionKind, absence time.Duration) (bool, error) {
	w.mu.Lock()
	known, found := w.answers[kind]
	w.mu.Unlock()
	used := discoveryPeriod
	if !known.served {
		used = absence
	}
	if found && w.now().Sub(known.asked) < used {
		return known.served, nil
	}
	list, err := w.kinds.ServerResourcesForGroupVersion(kind.GroupVersion().String())
	if err != nil && !apierrors.IsNotFound(err) && !found {
		return false, fmt.Errorf("it cannot be discovered: %w", err)
	}
	latest := answer{asked: w.now()}
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		latest.served = known.served // the API server does not answer
	case err == nil:
		for i := range list.APIResources {
			latest.served = latest.served || list.APIResources[i].Kind == kind.Kind
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[kind] = latest
	return latest.served, nil
}

// list returns the objects of a kind, which share memory with the cache; none of a kind that is not served. The error is an *unreadError if the kind cannot be
// read at the moment.
func (w *kindWatches) list(ctx context.Context, kind schema.GroupVersionKind) ([]unstructured.Unstructured, error) {
	switch err := w.ensure(ctx, kind, discoveryPeriod); {
	case errors.Is(err, errNotServed):
		return nil, nil
	case err != nil:
		return nil, err
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	err := w.cache.List(ctx, list, client.UnsafeDisableDeepCopy)
	return list.Items, err
}

// source requests a reconciliation when a workload may be restarted now, as watchWorkloads does.
func (w *kindWatches) source() source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.queues = append(w.queues, queue)
		return nil
	})
}

// onUpdate requests a reconciliation of the mesh of a workload that was edited, or that its controller has completed. The latter is not always
// followed by a change of a pod: after a pause of an application, for example.
func (w *kindWatches) onUpdate(before, after any) {
	earlier, isObject := before.(client.Object)
	workload, isWorkload := after.(client.Object)
	if !isObject || !isWorkload || !isEdited(earlier, workload) && stateOf(earlier).isDone(0) == stateOf(workload).isDone(0) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), syncTimeout)
	defer cancel()
	all := requests(w.meshOf(ctx, workload.GetNamespace()))
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, queue := range w.queues {
		for _, request := range all {
			queue.Add(request)
		}
	}
}
