package controlplane

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// Sink takes changes without blocking, in order.
type Sink interface {
	Apply(changes []catalog.Change)
}

// Source is one kind of Kubernetes object: what to watch, and how it becomes an entry.
type Source struct {
	// Kind of the entries.
	Kind catalog.Kind
	// Object is an empty object of the kind to watch.
	Object client.Object
	// Ingest makes an entry of an object; nil when the object has no place in the mesh. Problems say what was left out.
	Ingest func(client.Object) (catalog.Entry, []ingest.Problem)
	// Namespace is the only one that is watched; empty for all.
	Namespace string
}

// Feed watches Sources and hands what they say to a Sink.
type Feed struct {
	cache  ctrlcache.Cache
	live   client.Reader
	scheme *runtime.Scheme
	sink   Sink
	log    logr.Logger
	now    func() time.Time
	// Events counts what is watched; nil counts nothing. Set it before Watch.
	Events *Events
	// Problems hears what was found in each object that was set, and nothing of one that was removed. It must not block; nil hears
	// nothing. Set it before Watch.
	Problems func(kind catalog.Kind, object client.Object, problems []ingest.Problem)
}

// NewFeed makes a Feed that reads from cache, and from the API server itself when the cache cannot be believed. now is the clock.
func NewFeed(cache ctrlcache.Cache, live client.Reader, scheme *runtime.Scheme, sink Sink, log logr.Logger, now func() time.Time) *Feed {
	return &Feed{cache: cache, live: live, scheme: scheme, sink: sink, log: log, now: now}
}

// Watch begins to watch a Source and returns at once. The result says whether every object of the first list has reached
// the Sink.
func (f *Feed) Watch(ctx context.Context, source Source) (synced func() bool, err error) {
	informer, err := f.cache.GetInformer(ctx, source.Object, ctrlcache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", source.Kind, err)
	}
	remove := func(ref catalog.Ref) { f.sink.Apply([]catalog.Change{{Ref: ref, Received: f.now()}}) }
	d := newDoubt(listOf(f.live, f.scheme, source), remove, f.log.WithValues("kind", source.Kind))
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			f.Events.happened(source.Kind, "added")
			f.set(source, d, obj)
		},
		UpdateFunc: func(_, obj any) {
			f.Events.happened(source.Kind, "updated")
			f.set(source, d, obj)
		},
		DeleteFunc: func(obj any) {
			f.Events.happened(source.Kind, "deleted")
			f.remove(ctx, source, d, obj)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", source.Kind, err)
	}
	return registration.HasSynced, nil
}

func (f *Feed) set(source Source, d *doubt, obj any) {
	object, ok := obj.(client.Object)
	if !ok {
		return
	}
	received := f.now()
	entry, problems := source.Ingest(object)
	for _, problem := range problems {
		f.log.V(1).Info("left out", "kind", source.Kind, "namespace", object.GetNamespace(), "name", object.GetName(),
			"reason", problem.Reason, "message", problem.Message)
	}
	f.tell(source.Kind, object, problems)
	of := ref(source.Kind, object)
	d.seen(client.ObjectKeyFromObject(object), of)
	f.sink.Apply([]catalog.Change{{
		Ref: of, Entry: entry, Created: object.GetCreationTimestamp().Time, Generation: generation(object), Received: received,
	}})
}

func (f *Feed) tell(kind catalog.Kind, object client.Object, problems []ingest.Problem) {
	if f.Problems != nil {
		f.Problems(kind, object, problems)
	}
}

func (f *Feed) remove(ctx context.Context, source Source, d *doubt, obj any) {
	unknown, unseen := obj.(cache.DeletedFinalStateUnknown)
	if unseen {
		obj = unknown.Obj
	}
	object, ok := obj.(client.Object)
	if !ok {
		return
	}
	f.tell(source.Kind, object, nil)
	key, of := client.ObjectKeyFromObject(object), ref(source.Kind, object)
	if unseen {
		d.missed(ctx, key, of)
	} else {
		d.deleted(key, of)
	}
}

// ref names the entry of an object as the entries name themselves.
func ref(kind catalog.Kind, object client.Object) catalog.Ref {
	switch kind {
	case catalog.KindNamespace:
		return catalog.Ref{Kind: kind, Name: catalog.Name{Namespace: object.GetName()}}
	case catalog.KindSettings:
		return catalog.Ref{Kind: kind}
	default:
		return catalog.Ref{Kind: kind, Name: catalog.Name{Namespace: object.GetNamespace(), Name: object.GetName()}}
	}
}

// generation is the version of an object as catalog.Change has it. API servers count resourceVersions upwards, though clients
// may not rely on more than their order.
func generation(object client.Object) int64 {
	if g := object.GetGeneration(); g > 0 {
		return g
	}
	version, err := strconv.ParseInt(object.GetResourceVersion(), 10, 64)
	if err != nil {
		return 0
	}
	return version
}
