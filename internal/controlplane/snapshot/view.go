package snapshot

import (
	"context"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// View calls f with a view of the mesh, between two changes. f must be quick, because changes wait for it. The error is ErrNotSynced, ErrStopped or
// that of ctx; f may then run later.
func (s *Store) View(ctx context.Context, f func(*catalog.View)) error {
	done := make(chan error, 1)
	if !s.run(func() {
		if !s.synced.Load() {
			done <- ErrNotSynced
			return
		}
		f(s.catalog.View())
		done <- nil
	}) {
		return ErrStopped
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// LivePod returns the pod of a peer. Every claim of its token must match the live objects, as for a discovery stream. The error is one of those of
// Connect, or that of ctx.
func (s *Store) LivePod(ctx context.Context, peer Peer) (*inventory.Instance, error) {
	type result struct {
		pod *inventory.Instance
		err error
	}
	found := make(chan result, 1)
	if err := s.View(ctx, func(v *catalog.View) {
		pod, err := s.livePod(v, &peer)
		found <- result{pod, err}
	}); err != nil {
		return nil, err
	}
	r := <-found
	return r.pod, r.err
}
