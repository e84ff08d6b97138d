package controlplane

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// Waits of a doubt.
const (
	// gather is how long after the first doubtful deletion the others of the same list are waited for.
	gather = 500 * time.Millisecond
	// askAgain is how long after an answer that does not confirm, or none, the question is asked again.
	askAgain = 5 * time.Second
	// answerLimit is how long an answer may take.
	answerLimit = 30 * time.Second
)

// doubt holds back deletions that nobody has seen: a list after a lost watch lacks objects that were there before. If some
// objects of the kind are left they are believed. If none is left the API server may have been restored or have started
// empty, so they are applied only when a second list, read from the store behind the API server, says the same.
type doubt struct {
	list   func(context.Context) (map[types.NamespacedName]struct{}, error)
	remove func(catalog.Ref)
	log    logr.Logger
	// gather and again are the waits, shorter in tests.
	gather, again time.Duration

	mu    sync.Mutex
	known map[types.NamespacedName]catalog.Ref
	held  map[types.NamespacedName]struct{}
	busy  bool
}

func newDoubt(list func(context.Context) (map[types.NamespacedName]struct{}, error), remove func(catalog.Ref), log logr.Logger) *doubt {
	return &doubt{
		list: list, remove: remove, log: log, gather: gather, again: askAgain,
		known: map[types.NamespacedName]catalog.Ref{}, held: map[types.NamespacedName]struct{}{},
	}
}

// seen notes that an object is there.
func (d *doubt) seen(key types.NamespacedName, ref catalog.Ref) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[key] = ref
	delete(d.held, key)
}

// deleted applies a deletion that was watched.
func (d *doubt) deleted(key types.NamespacedName, ref catalog.Ref) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.known, key)
	delete(d.held, key)
	d.remove(ref)
}

// missed takes a deletion that nobody has seen.
func (d *doubt) missed(ctx context.Context, key types.NamespacedName, ref catalog.Ref) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[key] = ref
	d.held[key] = struct{}{}
	if !d.busy {
		d.busy = true
		time.AfterFunc(d.gather, func() { d.settle(ctx) })
	}
}

// settle decides about what is held, now or later.
func (d *doubt) settle(ctx context.Context) {
	there := map[types.NamespacedName]struct{}{}
	if d.nothingLeft() {
		var err error
		if there, err = d.ask(ctx); err != nil {
			d.log.Error(err, "every object of a kind has vanished from the API server, and that cannot be confirmed; they stay in force")
			d.later(ctx)
			return
		}
	}
	d.mu.Lock()
	for key := range d.held {
		if _, still := there[key]; !still {
			d.remove(d.known[key])
			delete(d.known, key)
			delete(d.held, key)
		}
	}
	left := len(d.held)
	d.busy = left > 0
	d.mu.Unlock()
	if left > 0 {
		d.log.Info("objects that a list did not show are still there, and stay in force", "objects", left)
		d.later(ctx)
	}
}

func (d *doubt) nothingLeft() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.held) > 0 && len(d.held) == len(d.known)
}

func (d *doubt) ask(ctx context.Context) (map[types.NamespacedName]struct{}, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	return d.list(ctx)
}

func (d *doubt) later(ctx context.Context) {
	if ctx.Err() == nil {
		time.AfterFunc(d.again, func() { d.settle(ctx) })
	}
}

// listOf lists the names of a Source's objects as they are stored now. An empty resourceVersion makes the API server read what
// a majority of its store agrees on.
func listOf(reader client.Reader, scheme *runtime.Scheme, source Source) func(context.Context) (map[types.NamespacedName]struct{}, error) {
	return func(ctx context.Context) (map[types.NamespacedName]struct{}, error) {
		kind, err := apiutil.GVKForObject(source.Object, scheme)
		if err != nil {
			return nil, err
		}
		objects := &metav1.PartialObjectMetadataList{}
		objects.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := reader.List(ctx, objects, client.InNamespace(source.Namespace)); err != nil {
			return nil, fmt.Errorf("list %s: %w", source.Kind, err)
		}
		names := make(map[types.NamespacedName]struct{}, len(objects.Items))
		for i := range objects.Items {
			names[client.ObjectKeyFromObject(&objects.Items[i])] = struct{}{}
		}
		return names, nil
	}
}
