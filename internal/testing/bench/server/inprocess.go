package server

import (
	"context"
	"net"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/snapshot"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// InProcess is our control plane in the process of the caller, who wants to look inside.
type InProcess struct {
	// Store holds the mesh, as it was before the first change.
	Store *snapshot.Store
	// Metrics has all metrics of the control plane.
	Metrics *prometheus.Registry
	ours    *ours
}

// NewInProcess makes a control plane for a mesh. The Setup's variant is not looked at.
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

// Barrier waits until everything that was applied before has been marked at the sidecars that it concerns.
func (p *InProcess) Barrier(ctx context.Context) {
	_, _ = p.Store.Policy(ctx, catalog.Ref{}) // that there is no such policy is answered after the changes before
}

// Settled says whether every connected sidecar has accepted what it was sent, and lacks nothing.
func (p *InProcess) Settled() bool {
	for _, proxy := range p.Store.Proxies() {
		for _, status := range proxy.Types {
			if !status.Behind.IsZero() || status.Waiting() || status.Rejection != "" {
				return false
			}
		}
	}
	return true
}
