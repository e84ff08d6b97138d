package snapshot

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

const (
	// writeTimeout is how long one write to a proxy may take.
	writeTimeout = time.Minute
	// sweepInterval is how often the Store checks for blocked streams and for policies that became acknowledged.
	sweepInterval = time.Second
)

// Store keeps the configuration of all connected proxies up to date. Its methods are safe for concurrent use and do not block,
// unless documented otherwise.
type Store struct {
	config       Config
	metrics      *metrics
	streamConfig delta.Config
	queue        *queue
	synced       atomic.Bool
	ready        atomic.Bool
	// maxConnections is 0 for no limit.
	maxConnections atomic.Int64
	// ownAddresses is true if a token is accepted from the addresses of its pod only.
	ownAddresses atomic.Bool
	// trust is the trust bundle in all scopes; nil before the initial sync.
	trust      atomic.Pointer[status.Trust]
	registry   registry
	tracer     *status.Tracer
	quarantine *quarantine.Quarantine
	limited    limitedPolicies
	used       *usedDestinations
	// serversChanged wakes those who read the decision servers of proxies.
	serversChanged broadcast
	// readinessCluster and drainingCluster are in no scope.
	readinessCluster, drainingCluster *resource.Content
	// afterFunc is time.AfterFunc, except in tests.
	afterFunc func(time.Duration, func())

	// The following fields belong to the goroutine of Run.
	catalog      *catalog.Catalog
	trustDomains identity.TrustDomains
	interner     *resource.Interner
	scopes       map[scope.Key]*scopeNode
	// idle has the scopes without streams, with the time when the last one ended.
	idle           scopesIn[time.Time]
	endpoints      map[scope.EndpointsKey]*endpointsNode
	identities     map[identity.ServiceAccount]*identityNode
	streams        map[entity.InstanceID][]*Stream // the oldest first
	pendingStreams map[*pendingStream]struct{}
	// elsewhere has the highest epochs of complete Envoys that other replicas report.
	elsewhere map[entity.InstanceID]uint64
	// syncedAt is when the initial sync was complete. secretsRead has the gateways whose Secrets were read once since.
	syncedAt     time.Time
	secretsRead  map[scope.Proxy]bool
	shared       sharedSets
	trials       sharedTrials
	same         sameDestinations
	policies     *status.Policies
	budgets      budgets
	changeShares changeShares
	lane         buildLane
	running      running
	// trace is the trace of the batch that is being applied; nil otherwise.
	trace *status.BatchTrace

	streamIndex    *catalog.Index[*Stream]
	scopeIndex     *catalog.Index[*scopeNode]
	endpointsIndex *catalog.Index[*endpointsNode]
}

// NewStore returns an empty Store. It processes changes while Run runs.
func NewStore(config Config) *Store {
	s := &Store{
		config:           config,
		streamConfig:     delta.Config{Now: config.Now, Log: config.Log, Metrics: delta.NewMetrics(config.Metrics)},
		queue:            newQueue(),
		tracer:           status.NewTracer(config.Metrics, config.Traces),
		readinessCluster: newOwnCluster(envoy.UnreadyCluster()),
		drainingCluster:  newOwnCluster(envoy.DrainingCluster()),
		afterFunc:        func(d time.Duration, f func()) { time.AfterFunc(d, f) },
		catalog:          catalog.New(),
		trustDomains:     config.Certificates.TrustDomains(),
		interner:         resource.NewInterner(),
		scopes:           map[scope.Key]*scopeNode{},
		idle:             scopesIn[time.Time]{},
		endpoints:        map[scope.EndpointsKey]*endpointsNode{},
		identities:       map[identity.ServiceAccount]*identityNode{},
		streams:          map[entity.InstanceID][]*Stream{},
		pendingStreams:   map[*pendingStream]struct{}{},
		secretsRead:      map[scope.Proxy]bool{},
		shared:           sharedSets{index: catalog.NewIndex[*sharedDestinations]()},
		policies:         status.NewPolicies(),
		same:             sameDestinations{},
		used:             newUsedDestinations(config.Now),
		budgets:          newBudgets(),
		changeShares:     newChangeShares(),
		lane:             newBuildLane(),
		running:          newRunning(),
		streamIndex:      catalog.NewIndex[*Stream](),
		scopeIndex:       catalog.NewIndex[*scopeNode](),
		endpointsIndex:   catalog.NewIndex[*endpointsNode](),
	}
	s.metrics = newMetrics(config.Metrics, &s.registry, s.queue)
	s.quarantine = quarantine.New(quarantine.Config{
		Scopes: quarantineScopes{s}, Log: config.Log, Metrics: config.Metrics, Now: config.Now, RunAfter: s.runAfter,
	})
	return s
}

// Apply queues changes of the mesh. Changes that are queued while the Store is busy are applied in one batch.
func (s *Store) Apply(list []catalog.Change) { s.queue.addChanges(list, s.config.Now()) }

// MarkSynced ends the initial sync: Apply was called with everything that existed at the start. No stream is served before, so
// that no proxy gets the configuration of an incomplete mesh.
func (s *Store) MarkSynced() {
	s.run(func() {
		s.syncedAt = s.config.Now()
		s.synced.Store(true)
		s.trust.Store(s.currentTrust())
		s.quarantine.MarkSynced(s.config.Now().Add(s.config.StartupPeriod))
		s.bindPending()
		s.ready.Store(true)
	})
}

// IsReady reports whether streams are served: the initial sync is complete and the Store is running.
func (s *Store) IsReady() bool { return s.ready.Load() }

// SetMaxConnections limits the number of pods with connected proxies; 0 means no limit. It does not end streams.
func (s *Store) SetMaxConnections(n int) { s.maxConnections.Store(int64(n)) }

// SetOwnAddresses decides whether the token of a pod is accepted from its addresses only. Otherwise it is also accepted from those that belong to no other
// running pod. Existing streams go on.
func (s *Store) SetOwnAddresses(only bool) { s.ownAddresses.Store(only) }

// CertificateRotated pushes the new certificate of a workload.
func (s *Store) CertificateRotated(sa identity.ServiceAccount) {
	s.run(func() {
		if n := s.identities[sa]; n != nil {
			s.requestCertificate(n)
		}
	})
}

// RootChanged pushes a new trust bundle and new trust domains.
func (s *Store) RootChanged() {
	s.run(func() {
		trust := s.currentTrust()
		if domains := trust.TrustDomains; !domains.Equal(s.trustDomains) {
			s.trustDomains = domains
			s.rebuildAll()
		} else { // all trust secrets change, though the scopes do not
			for _, n := range s.scopes {
				n.stale = true
				s.rebuildScope(n)
			}
		}
		s.trust.Store(trust)
	})
}

// currentTrust returns the trust bundle of scopes that are built from now on.
func (s *Store) currentTrust() *status.Trust {
	return &status.Trust{Bundle: s.config.Certificates.Root(), TrustDomains: s.config.Certificates.TrustDomains(), Since: s.config.Now()}
}

// run calls f on the goroutine of Run. It returns false if the Store has stopped.
func (s *Store) run(f func()) bool { return s.queue.addCommand(f) }

// runAfter calls f on the goroutine of Run after a delay.
func (s *Store) runAfter(delay time.Duration, f func()) {
	s.afterFunc(delay, func() { s.run(f) })
}

// Run processes changes until ctx ends, then ends all streams. It returns nil.
func (s *Store) Run(ctx context.Context) error {
	defer s.stop()
	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-sweep.C:
			s.endBlockedStreams()
			s.policies.UpdateCompleted(s.config.Now(), s.countProxies)
			s.dropUnused()
		case <-s.queue.wake:
		}
		s.process(s.queue.take())
	}
}

// dropUnused forgets what had an effect for some time.
func (s *Store) dropUnused() {
	s.trials.dropUnused()
	s.dropIdleScopes()
	s.quarantine.Prune()
	s.used.prune()
	s.changeShares.prune(s.config.Now())
	s.lane.shares.Prune(s.config.Now())
}

// process applies changes and runs commands. New changes are applied between commands: a thousand proxies that connect at once
// must not delay an endpoint change for the connected ones.
func (s *Store) process(w work) {
	s.applyChanges(w.batch)
	for _, command := range w.commands {
		command()
		s.applyChanges(s.queue.takeChanges())
	}
}

func (s *Store) applyBatch(b status.Batch) {
	if len(b.Changes) == 0 {
		return
	}
	began := s.config.Now()
	s.trace = s.tracer.Begin(b, began, s.catalog.Differs)
	began = s.config.Now()
	policies, released := s.recordPolicyChanges(b.Changes)
	batch := &runningBatch{changes: b.Changes, trace: s.trace, turnBegan: began, policies: policies}
	s.running.begin(batch)
	touched := s.catalog.Apply(b.Changes)
	s.used.forgetDeleted(b.Changes)
	s.metrics.countNamespaces(b.Changes)
	s.addStage(status.StageCatalog, began)
	s.rebuildAffected(touched)
	s.endRunning()
	if len(touched) > 0 && batch.postponed == 0 {
		s.tracer.Finish(s.trace, s.config.Now())
	}
	s.trace = nil
	if released {
		s.quarantine.Publish()
	}
}

// addStage adds the time since began to a stage of the current trace and returns the current time.
func (s *Store) addStage(stage status.Stage, began time.Time) time.Time {
	now := s.config.Now()
	s.trace.AddStage(stage, began, now)
	return now
}

// stop ends all streams and rejects new ones.
func (s *Store) stop() {
	s.ready.Store(false)
	for _, command := range s.queue.close().commands {
		command()
	}
	for p := range s.pendingStreams {
		s.reject(p, ErrStopped)
	}
	for _, streams := range s.streams {
		for _, stream := range streams {
			stream.delta.End(ErrStopped)
		}
	}
}

// Config configures a Store. All fields except StartupPeriod, Jitter and Traces are required.
type Config struct {
	Certificates CertificateSource
	Log          logr.Logger
	Metrics      prometheus.Registerer
	// Now returns the current time.
	Now func() time.Time
	// StartupPeriod is for how long after MarkSynced existing policies are not quarantined. Right after a start, the control plane
	// itself is the more likely cause of a NACK, and each trial removes permissions. The default is 0.
	StartupPeriod time.Duration
	// Jitter returns random numbers in [0, 1) that spread attempts to get certificates. It is optional.
	Jitter func() float64
	// Traces receives the traces of changes. It is optional.
	Traces status.Exporter
}

// CertificateSource issues and renews workload certificates. It is safe for concurrent use.
type CertificateSource interface {
	// Certificate returns the current certificate of a workload and issues it if there is none. It may generate a key.
	Certificate(sa identity.ServiceAccount) (Certificate, error)
	// Root returns the trust bundle for mTLS between workloads, in PEM.
	Root() []byte
	// TrustDomains returns the trust domains of the mesh.
	TrustDomains() identity.TrustDomains
}

// Certificate is a workload certificate. Its Generation is equal in all replicas.
type Certificate = certificate.Certificate
