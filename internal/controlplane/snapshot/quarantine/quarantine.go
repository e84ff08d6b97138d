package quarantine

import (
	"maps"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/timeshare"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// Scopes gives the Quarantine access to the scopes in use. Its methods run on the Store's goroutine.
type Scopes interface {
	// IsCurrent reports whether the scope is in use and still has the rejected version of the resource.
	IsCurrent(key scope.Key, r RejectedResource) bool
	// Answers counts the connected proxies of the scope. Those in rejecting reject a resource; the others accept it once they
	// have answered everything.
	Answers(key scope.Key, rejecting []Proxy) Answers
	// Policies returns the policies that the scope was built from.
	Policies(key scope.Key) []entity.Ref
	// HashWithout returns the hash of a resource of the scope without some policies, which include the quarantined ones. It returns false if the
	// resource does not exist then, and the present hash if it cannot be marshalled.
	HashWithout(key scope.Key, policies map[entity.Ref]struct{}, t resourcetype.Type, name string) (resource.Version, bool)
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
	records map[entity.Ref]policyRecord
	// synced is true after the initial sync, and sequence counts policy changes since.
	synced   bool
	sequence uint64
	// startupEnd is when policies that existed at the initial sync may be quarantined.
	startupEnd time.Time
	scopes     map[scope.Key]*scopeQuarantine
	// shares counts the time of examinations for sidecars of each namespace.
	shares    *timeshare.Shares
	published atomic.Pointer[[]Rejection]
	onChange  func()
}

// New returns an empty Quarantine that registers its metrics.
func New(config Config) *Quarantine {
	return &Quarantine{
		config: config, metrics: newMetrics(config.Metrics),
		records: map[entity.Ref]policyRecord{}, scopes: map[scope.Key]*scopeQuarantine{},
		shares: timeshare.New(timeshare.Limits{Burst: examinationBurst, Percent: examinationPercent, MaxWait: examinationWait}),
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

const (
	// maxTrials is how many policies are tried for one rejected resource. A trial may build the whole scope.
	maxTrials = 16
	// maxExamination is for how long an examination tries policies before a pause, because pushes wait for it. One trial may take longer.
	maxExamination = 25 * time.Millisecond
	// examineInterval is the pause between two examinations in one scope. It limits the load of proxies that reject everything.
	examineInterval = 200 * time.Millisecond
)

// Examinations for sidecars of one namespace take this time of the Store's goroutine, whatever they reject. A trial builds a scope, which may be large.
const (
	examinationBurst   = 500 * time.Millisecond
	examinationPercent = 10
	examinationWait    = 10 * time.Second
)

// Prune forgets what no longer has an effect.
func (q *Quarantine) Prune() { q.shares.Prune(q.config.Now()) }

// examine quarantines the newest policy without which the rejected resource differs. If there is none, policies are not the
// cause, and those that were quarantined for the resource are released. A positive retryAfter means that it is too early, or that not
// all policies were tried.
func (q *Quarantine) examine(key scope.Key, s *scopeQuarantine, n *nack) (retryAfter time.Duration) {
	candidates := q.newestFirst(q.config.Scopes.Policies(key))
	if len(candidates) == 0 {
		return 0
	}
	if q.endTrial(key, s, n) {
		return 0
	}
	id := resourceID{n.Type, n.Name}
	if newest, unresolved := s.unresolved[id]; unresolved && candidates[0].compare(newest) <= 0 {
		return 0
	}
	trials, began := 0, q.config.Now()
	for _, candidate := range candidates {
		if _, quarantined := s.policies[candidate.ref]; quarantined {
			continue
		}
		if remaining := q.startupEnd.Sub(q.config.Now()); candidate.sequence == 0 && remaining > 0 {
			return remaining
		}
		if trials++; trials > maxTrials {
			break
		}
		if _, tried := n.tried[candidate]; tried {
			continue
		}
		if q.config.Now().Sub(began) >= maxExamination {
			return examineInterval
		}
		if q.differsWithout(key, s, candidate.ref, n.RejectedResource) {
			q.quarantine(key, candidate.ref, n)
			return 0
		}
		n.recordTrial(candidate)
	}
	s.unresolved[id] = candidates[0]
	q.releaseFor(key, s, id)
	return 0
}

// differsWithout reports whether a resource differs without a policy. A resource that does not exist then is not rejected either,
// but that does not make the policy the cause, unless it is a TrafficSplit or a BackendTLSPolicy: a permission does not determine the content of the
// resources of a destination.
func (q *Quarantine) differsWithout(key scope.Key, s *scopeQuarantine, policy entity.Ref, r RejectedResource) bool {
	excluded := maps.Clone(s.policies)
	if excluded == nil {
		excluded = map[entity.Ref]struct{}{}
	}
	excluded[policy] = struct{}{}
	hash, exists := q.config.Scopes.HashWithout(key, excluded, r.Type, r.Name)
	if !exists {
		return policy.Kind == entity.KindTrafficSplit || policy.Kind == entity.KindBackendTLSPolicy
	}
	return hash != r.Hash
}

func (q *Quarantine) quarantine(key scope.Key, policy entity.Ref, n *nack) {
	proxy := n.proxies[0].Pod
	q.Add(Rejection{
		Policy: policy, Scope: key, Proxy: proxy, Type: n.Type, Resource: n.Name, Message: n.Message, At: q.config.Now(),
	})
	q.metrics.rejections.WithLabelValues(string(policy.Kind)).Inc()
	q.config.Log.Info("Quarantined a policy because a sidecar rejected configuration built from it", "kind", policy.Kind,
		"policy", policy.Name.String(), "pod", proxy.String(), "type", n.Type.String(), "resource", n.Name, "message", n.Message)
	s := q.scope(key)
	s.suspects = append(s.suspects, suspect{policy, resourceID{n.Type, n.Name}})
	q.config.Scopes.Rebuild(key)
	q.Publish()
	q.continueTrialsLater(key, s, trialInterval)
}

// releaseFor releases the policies that were quarantined because of one resource.
func (q *Quarantine) releaseFor(key scope.Key, s *scopeQuarantine, id resourceID) {
	changed := false
	for policy, rejection := range s.rejections {
		if rejection.Type == id.kind && rejection.Resource == id.name {
			q.Release(key, policy)
			changed = true
		}
	}
	if changed {
		q.config.Log.Info("Released quarantined policies because a sidecar rejects the resource without them too",
			"identity", key.Identity.String(), "type", id.kind.String(), "resource", id.name)
		q.config.Scopes.Rebuild(key)
		q.Publish()
	}
}
