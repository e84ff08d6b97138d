package feed

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// Sink applies changes in order, without blocking.
type Sink interface {
	Apply(changes []catalog.Change)
}

// Sinks are several Sinks that receive the same changes, in this order.
type Sinks []Sink

// Apply implements Sink.
func (s Sinks) Apply(changes []catalog.Change) {
	for _, sink := range s {
		sink.Apply(changes)
	}
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
	Problems func(kind entity.Kind, object client.Object, problems []ingest.Problem)
}

// Feed watches Sources and sends catalog changes to a Sink.
type Feed struct{ config Config }

// New returns a Feed.
func New(config Config) *Feed {
	if config.Problems == nil {
		config.Problems = func(entity.Kind, client.Object, []ingest.Problem) {}
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
	remove := func(ref entity.Ref) { f.config.Sink.Apply([]catalog.Change{{Ref: ref, Received: f.config.Now()}}) }
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
	problem := ""
	if len(problems) > 0 {
		problem = problems[0].Message
	}
	f.config.Sink.Apply([]catalog.Change{{
		Ref: entryRef, Entry: entry, Exists: true, Problem: problem, Created: object.GetCreationTimestamp().Time,
		Generation: generation(object), Received: received,
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

func ref(kind entity.Kind, object client.Object) entity.Ref {
	return kinds.RefOf(kind, entity.Name{Namespace: object.GetNamespace(), Name: object.GetName()})
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

func (e *Events) record(kind entity.Kind, event string) {
	if e != nil {
		e.count.WithLabelValues(strings.ToLower(string(kind)) + "-" + event).Inc()
	}
}

// maxResources limits the number of metric series.
const maxResources = 64

// WatchAges records when the API server last sent a list, an event or a bookmark for each resource. The API server sends
// a bookmark about once a minute without events. WatchAges is a Prometheus collector and safe for concurrent use.
type WatchAges struct {
	now  func() time.Time
	desc *prometheus.Desc

	mu   sync.Mutex
	last map[string]time.Time
}

// NewWatchAges returns a WatchAges without any resources. now is the clock.
func NewWatchAges(now func() time.Time) *WatchAges {
	return &WatchAges{
		now: now, last: map[string]time.Time{},
		desc: prometheus.NewDesc("osm_watch_age_seconds",
			"Seconds since the API server last sent a list, an event or a bookmark of the resource. Above a few minutes the control plane serves an old state.",
			[]string{"resource"}, nil),
	}
}

// Wrap returns a transport that records the responses of lists and watches. It is meant for rest.Config.Wrap.
func (a *WatchAges) Wrap(next http.RoundTripper) http.RoundTripper {
	return recordingTransport{a, next}
}

// Describe implements prometheus.Collector.
func (a *WatchAges) Describe(c chan<- *prometheus.Desc) { c <- a.desc }

// Collect implements prometheus.Collector.
func (a *WatchAges) Collect(c chan<- prometheus.Metric) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for resource, last := range a.last {
		c <- prometheus.MustNewConstMetric(a.desc, prometheus.GaugeValue, a.now().Sub(last).Seconds(), resource)
	}
}

func (a *WatchAges) record(resource string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.last[resource]; known || len(a.last) < maxResources {
		a.last[resource] = a.now()
	}
}

type recordingTransport struct {
	ages *WatchAges
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (l recordingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(req)
	resource := resourceOf(req)
	if err != nil || resource == "" || response.StatusCode != http.StatusOK {
		return response, err
	}
	l.ages.record(resource)
	response.Body = recordingBody{response.Body, func() { l.ages.record(resource) }}
	return response, nil
}

// recordingBody calls record when data arrives.
type recordingBody struct {
	io.ReadCloser
	record func()
}

// Read implements io.Reader.
func (b recordingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.record()
	}
	return n, err
}

// resourceOf returns the resource that a request lists or watches: "<resource>.<group>", or the bare name in the core
// group. It is empty for other requests.
func resourceOf(req *http.Request) string {
	if req.Method != http.MethodGet {
		return ""
	}
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	group := ""
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		group, parts = "."+parts[1], parts[3:]
	default:
		return ""
	}
	if len(parts) == 3 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	if len(parts) != 1 {
		return ""
	}
	return parts[0] + group
}
