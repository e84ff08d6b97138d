package feed

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

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// Timing of a confirmation.
const (
	// batchDelay is how long further deletions of the same list are collected.
	batchDelay = 500 * time.Millisecond
	// retryInterval is the time until the next list after one that failed or did not confirm the deletions.
	retryInterval = 5 * time.Second
	// listTimeout limits one list.
	listTimeout = 30 * time.Second
)

// deletionGuard delays deletions that were not observed as watch events: a list after a lost watch lacks known objects.
// If other objects of the kind remain, the deletions are applied. If none remains, the API server may have been restored
// or have started empty, so a second list from its storage must confirm the deletions.
type deletionGuard struct {
	list   func(context.Context) (map[types.NamespacedName]struct{}, error)
	remove func(entity.Ref)
	log    logr.Logger
	// batchDelay and retryInterval are shorter in tests.
	batchDelay, retryInterval time.Duration

	mu        sync.Mutex
	known     map[types.NamespacedName]entity.Ref
	pending   map[types.NamespacedName]struct{}
	scheduled bool
}

func newDeletionGuard(list func(context.Context) (map[types.NamespacedName]struct{}, error), remove func(entity.Ref), log logr.Logger) *deletionGuard {
	return &deletionGuard{
		list: list, remove: remove, log: log, batchDelay: batchDelay, retryInterval: retryInterval,
		known: map[types.NamespacedName]entity.Ref{}, pending: map[types.NamespacedName]struct{}{},
	}
}

// observe records that an object exists.
func (d *deletionGuard) observe(key types.NamespacedName, ref entity.Ref) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[key] = ref
	delete(d.pending, key)
}

// delete applies a deletion that was observed as a watch event.
func (d *deletionGuard) delete(key types.NamespacedName, ref entity.Ref) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.known, key)
	delete(d.pending, key)
	d.remove(ref)
}

// deleteUnobserved delays a deletion that was not observed as a watch event.
func (d *deletionGuard) deleteUnobserved(ctx context.Context, key types.NamespacedName, ref entity.Ref) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[key] = ref
	d.pending[key] = struct{}{}
	if !d.scheduled {
		d.scheduled = true
		time.AfterFunc(d.batchDelay, func() { d.confirm(ctx) })
	}
}

// confirm applies the pending deletions that are confirmed, and schedules the next attempt for the others.
func (d *deletionGuard) confirm(ctx context.Context) {
	stored := map[types.NamespacedName]struct{}{}
	if d.allPending() {
		var err error
		if stored, err = d.listStored(ctx); err != nil {
			d.log.Error(err, "all objects of a kind are missing from the API server's list, and this cannot be confirmed; they stay in force")
			d.retry(ctx)
			return
		}
	}
	d.mu.Lock()
	for key := range d.pending {
		if _, exists := stored[key]; !exists {
			d.remove(d.known[key])
			delete(d.known, key)
			delete(d.pending, key)
		}
	}
	pending := len(d.pending)
	d.scheduled = pending > 0
	d.mu.Unlock()
	if pending > 0 {
		d.log.Info("objects missing from a list still exist and stay in force", "objects", pending)
		d.retry(ctx)
	}
}

func (d *deletionGuard) allPending() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.pending) > 0 && len(d.pending) == len(d.known)
}

func (d *deletionGuard) listStored(ctx context.Context) (map[types.NamespacedName]struct{}, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	return d.list(ctx)
}

func (d *deletionGuard) retry(ctx context.Context) {
	if ctx.Err() == nil {
		time.AfterFunc(d.retryInterval, func() { d.confirm(ctx) })
	}
}

// storedNames lists the names of a Source's objects. The empty resourceVersion of the request makes the API server read
// from its storage with quorum.
func storedNames(reader client.Reader, scheme *runtime.Scheme, source kinds.Source) func(context.Context) (map[types.NamespacedName]struct{}, error) {
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
