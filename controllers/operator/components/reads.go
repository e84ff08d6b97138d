package components

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// readTimeout limits the first read of a kind. The cache of a kind that the API server does not list waits without limit, and all components
// with it.
const readTimeout = 5 * time.Second

// unreadableError is that the cache has no objects of a kind, because the API server does not list them.
type unreadableError struct{ kind string }

// Error describes the causes.
func (e *unreadableError) Error() string {
	return fmt.Sprintf("it cannot be read within %s, because the API server does not list the kind %s: check that this version of the operator has "+
		"permissions for the kind, and that the conversion webhook of its definition answers, if it has one", readTimeout, e.kind)
}

// limitedReads is a client whose reads of a kind fail while its cache is not synced. Only the first read waits.
type limitedReads struct {
	client.Client
	informers cache.Informers

	mu sync.Mutex
	// late holds the kinds whose first read was not answered in time.
	late map[schema.GroupVersionKind]bool
}

// limitReads limits the reads of a client from a cache with these informers.
func limitReads(c client.Client, informers cache.Informers) client.Client {
	return &limitedReads{Client: c, informers: informers, late: map[schema.GroupVersionKind]bool{}}
}

// Get implements client.Reader.
func (l *limitedReads) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	kind := object.GetObjectKind().GroupVersionKind()
	if l.isLate(kind) && !l.isSynced(ctx, object) {
		return &unreadableError{kind.Kind}
	}
	reading, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	err := l.Client.Get(reading, key, object, options...)
	late := err != nil && reading.Err() != nil && ctx.Err() == nil
	l.setLate(kind, late)
	if late {
		return &unreadableError{kind.Kind}
	}
	return err
}

// isSynced reports whether the cache has the objects of a kind.
func (l *limitedReads) isSynced(ctx context.Context, object client.Object) bool {
	informer, err := l.informers.GetInformer(ctx, object, cache.BlockUntilSynced(false))
	return err == nil && informer.HasSynced()
}

func (l *limitedReads) isLate(kind schema.GroupVersionKind) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.late[kind]
}

func (l *limitedReads) setLate(kind schema.GroupVersionKind, late bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if late {
		l.late[kind] = true
	} else {
		delete(l.late, kind)
	}
}
