package probes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/health"
)

const (
	// electionTime is how long the election of a replica may take, with the Lease of one that was killed. A replica that is not elected until then stands by,
	// even if it has not seen another one.
	electionTime = 20 * time.Second
	// settlingTime is how long controllers may take to begin their watches after the election.
	settlingTime = 2 * time.Second
	// syncTime is how long a probe waits for the watches.
	syncTime = 500 * time.Millisecond
	// silence is how long no mesh may be reconciled, successfully or not, before the operator counts as stuck. After errors, a mesh is reconciled again within
	// 17 minutes.
	silence = 30 * time.Minute
)

// Server answers the kubelet. Other pods can reach its port too, so its clients have limits. All exported fields are required.
type Server struct {
	Address string
	// Elected is closed when this replica becomes the leader.
	Elected <-chan struct{}
	// Caches are those of the controllers.
	Caches []Syncer
	// Meshes reads from a cache.
	Meshes client.Reader
	State  *State
	Now    func() time.Time
	// started and leading are the times of the start and of the election, in nanoseconds since 1970; 0 before.
	started, leading atomic.Int64
}

// Syncer waits until all watches have received their objects.
type Syncer interface{ WaitForCacheSync(context.Context) bool }

// State is what the parts of a replica have noted.
type State struct {
	// reconciled is when a mesh was reconciled last, in nanoseconds since 1970.
	reconciled atomic.Int64
	standsBy   atomic.Bool
	now        func() time.Time
}

// NewState returns a State in which nothing is noted.
func NewState(now func() time.Time) *State { return &State{now: now} }

// Beat notes that a mesh was reconciled.
func (s *State) Beat() { s.reconciled.Store(s.now().UnixNano()) }

// StandBy notes that another replica is active.
func (s *State) StandBy() { s.standsBy.Store(true) }

// NeedLeaderElection implements manager.LeaderElectionRunnable. Each replica is probed.
func (*Server) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (p *Server) Start(ctx context.Context) error {
	p.started.Store(p.Now().UnixNano())
	go func() {
		select {
		case <-p.Elected:
			p.leading.Store(p.Now().UnixNano())
		case <-ctx.Done():
		}
	}()
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", answer(p.alive))
	mux.HandleFunc("/readyz", answer(p.ready))
	return health.Serve(ctx, health.Config{Address: p.Address, Handler: mux, OnClosed: func() {}})
}

// answer serves "ok", or the error of a check with status 503.
func answer(check func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		if err := check(request.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "ok")
	}
}

// ready returns an error until the replica is elected and its watches have received all objects, or until it stands by for another one. The earlier replica of
// an update is not stopped before that, and is then no longer needed. A permission that is missing keeps it from becoming ready.
func (p *Server) ready(ctx context.Context) error {
	leading := p.leading.Load()
	if leading == 0 {
		if !p.State.standsBy.Load() && p.since(p.started.Load()) < electionTime {
			return errors.New("the election of a leader is in progress")
		}
		return nil
	}
	if p.since(leading) < settlingTime {
		return errors.New("the watches begin")
	}
	ctx, cancel := context.WithTimeout(ctx, syncTime)
	defer cancel()
	for _, cache := range p.Caches {
		if !cache.WaitForCacheSync(ctx) {
			return errors.New("not all watches have received their objects: the log names kinds that cannot be listed")
		}
	}
	return nil
}

// alive returns an error if the leader has not reconciled any mesh for a long time, although there are some.
func (p *Server) alive(ctx context.Context) error {
	leading := p.leading.Load()
	last := max(leading, p.State.reconciled.Load())
	if leading == 0 || p.since(last) < silence {
		return nil
	}
	var meshes v1alpha1.MeshList
	if err := p.Meshes.List(ctx, &meshes); err != nil || len(meshes.Items) == 0 {
		return nil // a restart does not help a cache, and nothing is to be reconciled
	}
	return fmt.Errorf("no mesh was reconciled for %s", p.since(last).Round(time.Second))
}

// since is the time since a moment in nanoseconds since 1970.
func (p *Server) since(moment int64) time.Duration { return p.Now().Sub(time.Unix(0, moment)) }
