package snapshot

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// ErrNotConnected means that a pod has no stream in this replica.
var ErrNotConnected = errors.New("no sidecar of this pod is connected to this replica of the control plane")

// Proxies returns the status of the connected proxies, sorted by pod and epoch.
func (s *Store) Proxies() []status.Proxy {
	streams := s.registry.list()
	proxies := make([]status.Proxy, 0, len(streams))
	versions := map[*scopeNode]map[resourcetype.Type]string{}
	for _, stream := range streams {
		n := stream.scope.Load()
		if versions[n] == nil {
			versions[n] = n.versions()
		}
		p := status.Proxy{
			Pod: stream.peer.Pod, InstanceID: stream.peer.InstanceID, Revision: stream.Revision(), Scope: n.key,
			ConnectedSince: stream.delta.ConnectedAt(), ScopeVersions: versions[n],
		}
		stream.delta.Acknowledgements().WriteTo(&p)
		p.Destinations = stream.destinationCounts()
		proxies = append(proxies, p)
	}
	slices.SortFunc(proxies, func(a, b status.Proxy) int {
		return cmp.Or(a.Pod.Compare(b.Pod), cmp.Compare(a.Software.Epoch, b.Software.Epoch))
	})
	return proxies
}

// Trust returns the trust bundle that all scopes have. A proxy has acknowledged it if its secrets are up to date.
func (s *Store) Trust() status.Trust {
	if trust := s.trust.Load(); trust != nil {
		return *trust
	}
	return status.Trust{}
}

// Traces returns the traces of the latest changes, the latest first.
func (s *Store) Traces() []status.Trace {
	return s.tracer.List(func(pending status.PendingPods) {
		for _, stream := range s.registry.list() {
			stream.delta.AddPendingPod(pending)
		}
	})
}

// Entries returns the catalog entries of some kinds, sorted. The error is ErrStopped or that of ctx.
func (s *Store) Entries(ctx context.Context, kinds ...entity.Kind) ([]catalog.Entry, error) {
	return ask(ctx, s, func() ([]catalog.Entry, error) { return s.catalog.Entries(kinds...), nil })
}

// ask calls f on the goroutine of Run, between two changes, and returns its results. Otherwise the error is ErrStopped or that of ctx; f may then run later.
func ask[T any](ctx context.Context, s *Store, f func() (T, error)) (value T, err error) {
	type answer struct {
		value T
		err   error
	}
	result := make(chan answer, 1)
	if !s.run(func() {
		value, err := f()
		result <- answer{value, err}
	}) {
		return value, ErrStopped
	}
	select {
	case a := <-result:
		return a.value, a.err
	case <-ctx.Done():
		return value, ctx.Err()
	}
}

// View calls f with a view of the mesh, between two changes. f must be quick, because changes wait for it. The error is ErrNotSynced, ErrStopped or
// that of ctx; f may then run later.
func (s *Store) View(ctx context.Context, f func(*catalog.View)) error {
	_, err := ask(ctx, s, func() (none struct{}, err error) {
		if !s.synced.Load() {
			return none, ErrNotSynced
		}
		f(s.catalog.View())
		return none, nil
	})
	return err
}

// LivePod returns the pod of a peer. Every claim of its token must match the live objects, as for a discovery stream. The error is one of those of
// Connect, or that of ctx.
func (s *Store) LivePod(ctx context.Context, peer Peer) (*inventory.Instance, error) {
	return ask(ctx, s, func() (*inventory.Instance, error) {
		if !s.synced.Load() {
			return nil, ErrNotSynced
		}
		return s.livePod(s.catalog.View(), &peer)
	})
}

// ConfiguredResource is a resource in the snapshot of a proxy.
type ConfiguredResource struct {
	Type    resourcetype.Type
	Name    string
	Version string
	// Resource is nil for secrets, because they contain private keys.
	Resource *anypb.Any
}

// Resources returns the snapshot of a proxy of an instance, sorted by type and name. The error is ErrNotConnected or about
// a resource that does not decode.
func (s *Store) Resources(id entity.InstanceID) ([]ConfiguredResource, error) {
	stream := s.registry.find(id)
	if stream == nil {
		return nil, ErrNotConnected
	}
	var list []ConfiguredResource
	for _, c := range stream.scope.Load().allContents() {
		versioned := resource.Versioned{Content: c, Version: c.Hash()}
		r := ConfiguredResource{Type: c.Type(), Name: c.Name(), Version: versioned.WireVersion()}
		if c.Type() != resourcetype.Secrets {
			message, err := (&delta.Response{Type: c.Type(), Resources: []resource.Versioned{versioned}}).Proto()
			if err != nil {
				return nil, err
			}
			r.Resource = message.GetResources()[0].GetResource()
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b ConfiguredResource) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	})
	return list, nil
}

// registry lists the connected streams for readers on other goroutines.
type registry struct {
	mu sync.Mutex
	// streams has whether the epoch of each stream is announced.
	streams map[*Stream]bool
	// instances has the streams of each instance.
	instances map[entity.InstanceID][]*Stream
	// waiting has the readers that wait for a stream of an instance.
	waiting map[entity.InstanceID][]*waitingReader
}

func (r *registry) add(s *Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.streams == nil {
		r.streams, r.instances = map[*Stream]bool{}, map[entity.InstanceID][]*Stream{}
	}
	r.streams[s] = false
	r.instances[s.peer.InstanceID] = append(r.instances[s.peer.InstanceID], s)
}

// announce passes a stream whose epoch is known to the readers that wait for it.
func (r *registry) announce(s *Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.streams[s] = true
	r.resolve(s)
}

func (r *registry) remove(s *Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.streams, s)
	removeFrom(r.instances, s.peer.InstanceID, func(other *Stream) bool { return other == s })
}

// count returns the number of instances with streams.
func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.instances)
}

func (r *registry) list() []*Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.streams))
}

// find returns the latest stream of an instance, or nil. All have the same snapshot.
func (r *registry) find(id entity.InstanceID) *Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	streams := r.instances[id]
	if len(streams) == 0 {
		return nil
	}
	return streams[len(streams)-1]
}
