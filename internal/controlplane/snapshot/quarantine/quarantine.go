package quarantine

import (
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// Scopes gives the Quarantine access to the scopes in use. Its methods run on the Store's goroutine.
type Scopes interface {
	// IsCurrent reports whether the scope is in use and still has the rejected version of the resource.
	IsCurrent(key scope.Key, r RejectedResource) bool
	// Answers counts the connected proxies of the scope. Those in rejecting reject a resource; the others accept it once they
	// have answered everything.
	Answers(key scope.Key, rejecting []catalog.Name) Answers
	// Policies returns the policies that the scope was built from.
	Policies(key scope.Key) []catalog.Ref
	// BuildWithout builds a resource of the scope without some policies. It returns false if the resource does not exist then,
	// and nil if it cannot be marshalled.
	BuildWithout(key scope.Key, policies map[catalog.Ref]struct{}, t resourcetype.Type, name string) (*resource.Content, bool)
	// Rebuild builds the scope after a change of its quarantined policies and pushes the difference.
	Rebuild(key scope.Key)
}

// Config configures a Quarantine. All fields are required.
type Config struct {
	Scopes  Scopes
	Log     logr.Logger
	Metrics prometheus.Registerer
	Now     func() time.Time
	// RunAfter runs a function on the Store's goroutine after a delay.
	RunAfter func(time.Duration, func())
}

// Quarantine has the policies that are excluded from scopes. It belongs to the Store's goroutine, except Rejections.
type Quarantine struct {
	config  Config
	metrics *metrics
	records map[catalog.Ref]policyRecord
	// synced is true after the initial sync, and sequence counts policy changes since.
	synced   bool
	sequence uint64
	// startupEnd is when policies that existed at the initial sync may be quarantined.
	startupEnd time.Time
	scopes     map[scope.Key]*scopeQuarantine
	published  atomic.Pointer[[]Rejection]
	onChange   func()
}

// New returns an empty Quarantine that registers its metrics.
func New(config Config) *Quarantine {
	return &Quarantine{
		config: config, metrics: newMetrics(config.Metrics),
		records: map[catalog.Ref]policyRecord{}, scopes: map[scope.Key]*scopeQuarantine{},
	}
}

// MarkSynced ends the initial sync. Policies that existed then are not quarantined before startupEnd: right after a start, the
// control plane itself is the more likely cause of a NACK.
func (q *Quarantine) MarkSynced(startupEnd time.Time) { q.synced, q.startupEnd = true, startupEnd }

// Rejections returns the quarantined policies, sorted. It is safe for concurrent use.
func (q *Quarantine) Rejections() []Rejection {
	if list := q.published.Load(); list != nil {
		return *list
	}
	return nil
}

// OnChange sets a function that is called when Rejections has changed. It must be set before the first change and must not block.
func (q *Quarantine) OnChange(f func()) { q.onChange = f }

// Publish updates Rejections and the metrics.
func (q *Quarantine) Publish() {
	list := q.list()
	q.published.Store(&list)
	q.metrics.quarantined.Set(float64(len(list)))
	if q.onChange != nil {
		q.onChange()
	}
}

type metrics struct {
	rejections  *prometheus.CounterVec
	quarantined prometheus.Gauge
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	m := &metrics{
		rejections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_policy_rejected_count",
			Help: "Policies that were quarantined because a sidecar rejected configuration built from them.",
		}, []string{"kind"}),
		quarantined: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "osm_policy_quarantined_count",
			Help: "Policies that are quarantined now, counted once for each affected scope.",
		}),
	}
	registerer.MustRegister(m.rejections, m.quarantined)
	return m
}
