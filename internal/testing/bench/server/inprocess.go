package server

import (
	"context"
	"net"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// InProcess is this project's control plane in the caller's process, for access to its state.
type InProcess struct {
	// Store holds the mesh before the first change.
	Store *snapshot.Store
	// Metrics contains all metrics of the control plane.
	Metrics *prometheus.Registry
	ours    *ours
}

// NewInProcess returns a control plane for a mesh. It ignores the variant of the Setup.
func NewInProcess(setup Setup, m *mesh.Mesh) (*InProcess, error) {
	authority, err := newAuthority(setup)
	if err != nil {
		return nil, err
	}
	o, err := newOurs(setup, m, authority)
	if err != nil {
		return nil, err
	}
	return &InProcess{Store: o.store, Metrics: o.registry, ours: o}, nil
}

// Serve serves sidecars on a listener until ctx ends.
func (p *InProcess) Serve(ctx context.Context, listener net.Listener) error {
	return p.ours.serve(ctx, listener)
}

// Barrier waits until all applied changes have been processed for the affected sidecars.
func (p *InProcess) Barrier(ctx context.Context) {
	_, _ = p.Store.Policy(ctx, catalog.Ref{}) // the query is answered after all earlier changes
}

// Acknowledged reports whether every connected sidecar has acknowledged all resources.
func (p *InProcess) Acknowledged() bool {
	for _, proxy := range p.Store.Proxies() {
		for _, status := range proxy.Types {
			if !status.PendingSince.IsZero() || status.IsAwaitingAnswer() || status.Rejection != "" {
				return false
			}
		}
	}
	return true
}
