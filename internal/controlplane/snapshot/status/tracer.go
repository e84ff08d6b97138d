package status

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// Limits of traces.
const (
	// maxTraces is how many traces are kept, and maxPolicyTraces how many of policies and settings: in a busy cluster, those of pods and their
	// endpoints would replace them within seconds.
	maxTraces       = 128
	maxPolicyTraces = 64
	// maxTracedObjects is how many objects a trace names.
	maxTracedObjects = 8
	// maxComparedObjects is how many objects of a batch are compared with the catalog to find those that differ.
	maxComparedObjects = 64
)

// TracedObject is an object of a batch.
type TracedObject struct {
	Ref entity.Ref
	// Generation is that of the object; 0 if it is not known.
	Generation int64
	Removed    bool
}

// Trace is the record of one batch of changes.
type Trace struct {
	// Number counts batches since the start. Batches without effect have numbers but no traces.
	Number uint64
	// StartedAt is when the watch delivered the first object.
	StartedAt time.Time
	// Objects names some of the changed objects, at most 8. Total counts all objects of the batch, also unchanged ones.
	Objects []TracedObject
	Total   int
	// Scopes counts the rebuilt scopes, and Resources the changed resources and endpoints.
	Scopes, Resources int
	// Streams counts the notified streams. Each is Acknowledged, Rejected, Disconnected (it ended without an answer), Skipped (it
	// had 32 unanswered batches) or Open.
	Streams, Acknowledged, Rejected, Disconnected, Skipped, Open int
	// Stages has the time spent in each stage that the batch reached.
	Stages map[Stage]time.Duration
	// Duration is the time from StartedAt to the answer of the last stream; 0 while a stream is Open.
	Duration time.Duration
	// Pending lists pods of Open streams, sorted, at most 20.
	Pending []entity.Name
}

// Tracer keeps the traces of the latest batches. Begin and Finish belong to the Store's goroutine; List is safe for concurrent
// use.
type Tracer struct {
	metrics  *traceMetrics
	exporter Exporter
	number   uint64

	mu sync.Mutex
	// policies are the latest traces of policies and settings, and others those of other objects.
	policies [maxPolicyTraces]*BatchTrace
	others   [maxTraces]*BatchTrace
	// nextPolicy and nextOther are the positions in these rings that the next trace of a policy, or of anything else, replaces.
	nextPolicy, nextOther int
}

// Exporter receives the traces of batches that all notified streams have answered. Batches without streams have none.
type Exporter interface {
	// Enabled reports whether traces are exported. Otherwise they are not built.
	Enabled() bool
	// Export takes a trace. It must not block, because streams call it.
	Export(Trace)
}

// NewTracer returns a Tracer that registers its metrics. The exporter may be nil.
func NewTracer(registerer prometheus.Registerer, exporter Exporter) *Tracer {
	return &Tracer{metrics: newTraceMetrics(registerer), exporter: exporter}
}

// Batch describes changes that are processed together.
type Batch struct {
	Changes []catalog.Change
	// QueuedAt is when the first change was queued.
	QueuedAt time.Time
	// Ingest is the longest time that the conversion of one object took.
	Ingest time.Duration
}

// Begin starts a trace. isModified reports whether a change differs from the catalog.
func (r *Tracer) Begin(b Batch, now time.Time, isModified func(catalog.Change) bool) *BatchTrace {
	r.number++
	t := &BatchTrace{metrics: r.metrics, exporter: r.exporter, number: r.number, startedAt: b.QueuedAt, total: len(b.Changes)}
	t.open.Store(1)
	t.stages[StageIngest], t.stages[StageQueue] = b.Ingest, max(now.Sub(b.QueuedAt), 0)
	for i := range b.Changes {
		change := &b.Changes[i]
		if !change.Received.IsZero() && change.Received.Before(t.startedAt) {
			t.startedAt = change.Received
		}
		if i < maxComparedObjects && len(t.objects) < maxTracedObjects && isModified(*change) {
			t.objects = append(t.objects, TracedObject{change.Ref, change.Generation, change.Entry == nil})
		}
	}
	return t
}

// Finish publishes a trace when all streams were notified.
func (r *Tracer) Finish(t *BatchTrace, now time.Time) {
	r.mu.Lock()
	if slices.ContainsFunc(t.objects, isPolicy) {
		r.policies[r.nextPolicy] = t
		r.nextPolicy = (r.nextPolicy + 1) % maxPolicyTraces
	} else {
		r.others[r.nextOther] = t
		r.nextOther = (r.nextOther + 1) % maxTraces
	}
	r.mu.Unlock()
	if t.streams > 0 {
		r.metrics.broadcasts.Inc()
	}
	t.release(now)
}

// List returns the traces, the latest first. addPending is called if a trace is not complete. It must call
// PendingPods.Add for the Follower of each stream.
func (r *Tracer) List(addPending func(PendingPods)) []Trace {
	list := r.latest()
	pending := PendingPods{}
	for _, t := range list {
		if t.duration.Load() == 0 {
			pending[t] = nil
		}
	}
	if len(pending) > 0 {
		addPending(pending)
	}
	result := make([]Trace, 0, len(list))
	for _, t := range list {
		result = append(result, t.report(pending[t]))
	}
	return result
}

func (r *Tracer) latest() []*BatchTrace {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := slices.DeleteFunc(slices.Concat(r.policies[:], r.others[:]), func(t *BatchTrace) bool { return t == nil })
	slices.SortFunc(list, func(a, b *BatchTrace) int { return cmp.Compare(b.number, a.number) })
	return list
}

func isPolicy(o TracedObject) bool {
	return o.Ref.Kind.IsPolicy() || o.Ref.Kind == entity.KindSettings
}

func (t *BatchTrace) report(pending []entity.Name) Trace {
	report := Trace{
		Number: t.number, StartedAt: t.startedAt, Objects: t.objects, Total: t.total, Scopes: t.scopes, Resources: t.resources, Streams: t.streams,
		Rejected: int(t.rejected.Load()), Disconnected: int(t.disconnected.Load()), Skipped: int(t.skipped.Load()),
		Duration: time.Duration(t.duration.Load()), Stages: map[Stage]time.Duration{},
	}
	if report.Duration == 0 {
		report.Open = int(max(t.open.Load(), 0))
	}
	report.Acknowledged = max(t.streams-report.Rejected-report.Disconnected-report.Skipped-report.Open, 0)
	for stage := range numStages {
		if spent, ok := t.stage(stage); ok {
			report.Stages[stage] = spent
		}
	}
	slices.SortFunc(pending, entity.Name.Compare)
	report.Pending = pending[:min(len(pending), maxListedPods)]
	return report
}

// Stage is a part of the processing of a change, from the watch event to the acknowledgement of the last proxy.
type Stage uint8

// The stages in order. StagePush and StageAcknowledge overlap between proxies: they have the time of the slowest proxy.
const (
	// StageIngest converts an object to a catalog entry. It has the time of the slowest object of a batch.
	StageIngest Stage = iota
	// StageQueue waits for the Store.
	StageQueue
	// StageCatalog applies the entry to the catalog and finds out what depends on it.
	StageCatalog
	// StageScope computes the affected scopes and endpoints.
	StageScope
	// StageEnvoy builds, marshals, hashes and compares their resources.
	StageEnvoy
	// StagePush begins when a stream is notified and ends when it has written its last response about the change.
	StagePush
	// StageAcknowledge ends when the proxy has answered everything.
	StageAcknowledge
	numStages
)

var stageNames = [numStages]string{"ingest", "queue", "catalog", "scope", "envoy", "push", "acknowledge"}

// String returns the name used in metrics and reports.
func (s Stage) String() string { return stageNames[s] }

type traceMetrics struct {
	stages     [numStages]prometheus.Observer
	total      prometheus.Histogram
	scopes     prometheus.Histogram
	resources  prometheus.Histogram
	broadcasts prometheus.Counter
}

// newTraceMetrics registers the metrics of batches. The buckets range from an endpoint change to a proxy that does not answer.
func newTraceMetrics(registerer prometheus.Registerer) *traceMetrics {
	m := &traceMetrics{}
	buckets := []float64{.00001, .0001, .0005, .001, .002, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 5, 10, 40}
	stages := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "osm_change_stage_seconds",
		Help:    "Seconds that a change of the mesh spends in each stage: ingest, queue, catalog, scope, envoy, push and acknowledge. The last two are those of the slowest sidecar.",
		Buckets: buckets,
	}, []string{"stage"})
	for stage := range numStages {
		m.stages[stage] = stages.WithLabelValues(stage.String())
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	}
	sizes := prometheus.ExponentialBuckets(1, 4, 9) // 1, 4, 16, up to 65,536
	m.total = histogram("osm_change_seconds", "Seconds from the watch event of a change to the answer of the last affected sidecar.", buckets)
	m.scopes = histogram("osm_change_scopes", "Scopes, which are kinds of sidecars, that a change rebuilds.", sizes)
	m.resources = histogram("osm_change_resources", "Resources of scopes that a change adds, modifies or removes.", sizes)
	m.broadcasts = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "osm_proxy_broadcast_event_count", Help: "Changes of the mesh that affected at least one connected sidecar.",
	})
	registerer.MustRegister(stages, m.total, m.scopes, m.resources, m.broadcasts)
	return m
}

// observe records a batch that all streams have answered.
func (m *traceMetrics) observe(t *BatchTrace, duration time.Duration) {
	for stage := range numStages {
		if spent, ok := t.stage(stage); ok {
			m.stages[stage].Observe(spent.Seconds())
		}
	}
	if t.streams > 0 {
		m.total.Observe(duration.Seconds())
		m.scopes.Observe(float64(t.scopes))
		m.resources.Observe(float64(t.resources))
	}
}
