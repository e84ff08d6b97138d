package snapshot

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// writeLimit is how long one write to a sidecar may take.
const writeLimit = time.Minute

// sweepInterval is how often the Store looks at what nobody tells it of.
const sweepInterval = time.Second

// Store keeps the configuration of all connected sidecars up to date. Its methods are safe for concurrent use and do not
// block, unless said otherwise.
type Store struct {
	config  Config
	metrics *metrics
	queue   *queue
	synced  atomic.Bool
	// settled is when policies that existed at the start may be withheld.
	settled  time.Time
	ready    atomic.Bool
	limit    atomic.Int64
	registry registry
	// rejections is what the quarantine last published, and onRejections is told of it.
	rejections   atomic.Pointer[[]Rejection]
	onRejections func()
	traces       traces
	// unready is the cluster by which a new sidecar is not ready.
	unready *content

	// What follows belongs to the goroutine of Run.
	catalog    *catalog.Catalog
	interner   *interner
	scopes     map[scope.Key]*scopeNode
	endpoints  map[scope.EndpointsKey]*endpointsNode
	identities map[identity.ServiceAccount]*identityNode
	streams    map[string]*Stream
	joining    map[*join]struct{}
	quarantine *quarantine
	common     *common
	// unsettled are policies that some sidecar may not have answered yet.
	unsettled map[catalog.Ref]struct{}
	// tracing is the change that is being made, nil between changes, and traced how many there were.
	tracing *trace
	traced  uint64

	readsOfStreams   *index[*Stream]
	readsOfScopes    *index[*scopeNode]
	readsOfEndpoints *index[*endpointsNode]
}

// NewStore makes a Store without anything in it. It works while Run runs.
func NewStore(config Config) *Store {
	s := &Store{
		config:           config,
		queue:            newQueue(),
		catalog:          catalog.New(),
		interner:         newInterner(),
		scopes:           map[scope.Key]*scopeNode{},
		endpoints:        map[scope.EndpointsKey]*endpointsNode{},
		identities:       map[identity.ServiceAccount]*identityNode{},
		streams:          map[string]*Stream{},
		joining:          map[*join]struct{}{},
		quarantine:       newQuarantine(),
		common:           newCommon(),
		unsettled:        map[catalog.Ref]struct{}{},
		unready:          unreadyCluster(),
		readsOfStreams:   newIndex[*Stream](),
		readsOfScopes:    newIndex[*scopeNode](),
		readsOfEndpoints: newIndex[*endpointsNode](),
	}
	s.metrics = newMetrics(config.Metrics, &s.registry, s.queue)
	return s
}

// Apply queues changes of the mesh. Everything queued while the Store is busy becomes one batch.
func (s *Store) Apply(list []catalog.Change) { s.queue.change(list, s.config.Now()) }

// MarkSynced says that Apply has been given everything that existed at the start. Nothing is served before, so that no
// sidecar is ever sent the configuration of half a mesh.
func (s *Store) MarkSynced() {
	s.post(func() {
		s.synced.Store(true)
		s.settled = s.config.Now().Add(s.config.Settling)
		s.admit()
		s.ready.Store(true)
	})
}

// Ready says whether sidecars are served: everything that existed at the start has been taken in.
func (s *Store) Ready() bool { return s.ready.Load() }

// SetMaxConnections limits the number of connected sidecars; 0 means no limit. Those connected stay.
func (s *Store) SetMaxConnections(n int) { s.limit.Store(int64(n)) }

// CertificateRotated says that a workload has a new certificate.
func (s *Store) CertificateRotated(sa identity.ServiceAccount) {
	s.post(func() {
		if n := s.identities[sa]; n != nil {
			s.issue(n)
		}
	})
}

// RootChanged says that the trust bundle has changed.
func (s *Store) RootChanged() {
	s.post(func() {
		clear(s.common.contents)
		for _, n := range s.scopes {
			n.separate = false // every trust secret changes, though the scope does not
			s.rebuildScope(n)
		}
	})
}

// post runs f on the goroutine of Run. It says whether that will happen.
func (s *Store) post(f func()) bool { return s.queue.command(f) }

// Run does the Store's work until ctx ends, then ends all streams. It returns nil.
func (s *Store) Run(ctx context.Context) error {
	defer s.stop()
	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-sweep.C:
			s.dropStuck()
			s.watchProgress()
		case <-s.queue.wake:
		}
		s.work(s.queue.take())
	}
}

// work applies one batch. Changes that come meanwhile do not wait for the rest of it: a thousand sidecars that connect at once
// must not keep those that are connected from hearing of an endpoint.
func (s *Store) work(b batch) {
	s.change(b.changes)
	for _, command := range b.commands {
		command()
		s.change(s.queue.takeChanges())
	}
}

func (s *Store) change(b arrivals) {
	if len(b.list) == 0 {
		return
	}
	s.tracing = s.begin(b)
	began := s.config.Now()
	policies, released := s.quarantine.note(b.list, s.catalog, s.synced.Load())
	touched := s.catalog.Apply(b.list)
	s.metrics.counted(b.list)
	s.spend(StageCatalog, began)
	s.update(touched)
	s.changed(policies)
	if len(touched) > 0 {
		s.finish(s.tracing)
	}
	s.tracing = nil
	if released {
		s.publishRejections()
	}
}

// stop ends everything that waits for the Store.
func (s *Store) stop() {
	s.ready.Store(false)
	for _, command := range s.queue.close().commands {
		command()
	}
	for j := range s.joining {
		s.refuse(j, ErrStopped)
	}
	for _, stream := range s.streams {
		stream.end(ErrStopped)
	}
}
