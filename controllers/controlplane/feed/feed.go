package feed

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// Sink applies changes in order, without blocking.
type Sink interface {
	Apply(changes []catalog.Change)
}

// Config configures a Feed. Events and Problems are optional.
type Config struct {
	// Cache has the watches.
	Cache ctrlcache.Cache
	// Live confirms deletions.
	Live   client.Reader
	Scheme *runtime.Scheme
	Sink   Sink
	Log    logr.Logger
	// Now is the clock.
	Now func() time.Time
	// Events counts watch events.
	Events *Events
	// Problems is called with the problems of each added or updated object, and with none for a deleted one. It must not
	// block.
	Problems func(kind catalog.Kind, object client.Object, problems []ingest.Problem)
}

// Feed watches Sources and sends catalog changes to a Sink.
type Feed struct{ config Config }

// New returns a Feed.
func New(config Config) *Feed {
	if config.Problems == nil {
		config.Problems = func(catalog.Kind, client.Object, []ingest.Problem) {}
	}
	return &Feed{config: config}
}

// Watch starts to watch a Source and returns at once. synced reports whether the Sink has received every object of the
// first list.
func (f *Feed) Watch(ctx context.Context, source kinds.Source) (synced func() bool, err error) {
	informer, err := f.config.Cache.GetInformer(ctx, source.Object, ctrlcache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", source.Kind, err)
	}
	remove := func(ref catalog.Ref) { f.config.Sink.Apply([]catalog.Change{{Ref: ref, Received: f.config.Now()}}) }
	guard := newDeletionGuard(storedNames(f.config.Live, f.config.Scheme, source), remove, f.config.Log.WithValues("kind", source.Kind))
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			f.config.Events.record(source.Kind, "added")
			f.set(source, guard, obj)
		},
		UpdateFunc: func(_, obj any) {
			f.config.Events.record(source.Kind, "updated")
			f.set(source, guard, obj)
		},
		DeleteFunc: func(obj any) {
			f.config.Events.record(source.Kind, "deleted")
			f.remove(ctx, source, guard, obj)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", source.Kind, err)
	}
	return registration.HasSynced, nil
}

func (f *Feed) set(source kinds.Source, guard *deletionGuard, obj any) {
	object, ok := obj.(client.Object)
	if !ok {
		return
	}
	received := f.config.Now()
	entry, problems := source.Ingest(object)
	for _, problem := range problems {
		f.config.Log.V(1).Info("parts of the object are ignored", "kind", source.Kind, "namespace", object.GetNamespace(), "name", object.GetName(),
			"reason", problem.Reason, "message", problem.StatusMessage())
	}
	f.config.Problems(source.Kind, object, problems)
	entryRef := ref(source.Kind, object)
	guard.observe(client.ObjectKeyFromObject(object), entryRef)
	f.config.Sink.Apply([]catalog.Change{{
		Ref: entryRef, Entry: entry, Created: object.GetCreationTimestamp().Time, Generation: generation(object), Received: received,
	}})
}

func (f *Feed) remove(ctx context.Context, source kinds.Source, guard *deletionGuard, obj any) {
	unknown, unobserved := obj.(cache.DeletedFinalStateUnknown)
	if unobserved {
		obj = unknown.Obj
	}
	object, ok := obj.(client.Object)
	if !ok {
		return
	}
	f.config.Problems(source.Kind, object, nil)
	key, entryRef := client.ObjectKeyFromObject(object), ref(source.Kind, object)
	if unobserved {
		guard.deleteUnobserved(ctx, key, entryRef)
	} else {
		guard.delete(key, entryRef)
	}
}

func ref(kind catalog.Kind, object client.Object) catalog.Ref {
	return kinds.RefOf(kind, catalog.Name{Namespace: object.GetNamespace(), Name: object.GetName()})
}

// generation returns the value for catalog.Change.Generation. It falls back to resourceVersion, which API servers
// increase, although clients may only rely on its order.
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

// Events counts watch events by kind and type under OSM's names, such as pod-added and traffictarget-updated. OSM also has
// a namespace label, which would leave series of deleted namespaces. A nil Events counts nothing.
type Events struct{ count *prometheus.CounterVec }

// NewEvents registers the counter.
func NewEvents(registerer prometheus.Registerer) *Events {
	e := &Events{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "osm_k8s_api_event_count", Help: "Events of the API server, by kind of object and type of event.",
	}, []string{"type"})}
	registerer.MustRegister(e.count)
	return e
}

func (e *Events) record(kind catalog.Kind, event string) {
	if e != nil {
		e.count.WithLabelValues(strings.ToLower(string(kind)) + "-" + event).Inc()
	}
}
