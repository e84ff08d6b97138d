package mirror

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// Mirror is a second catalog. It is safe for concurrent use.
type Mirror struct {
	// reading guards catalog, dependence guards readers, and arrived guards the other fields. Apply takes only arrived, and nobody holds it for long.
	reading sync.RWMutex
	catalog *catalog.Catalog

	dependence sync.Mutex
	readers    *catalog.Index[entity.Ref]

	arrived sync.Mutex
	pending []catalog.Change
	// updating is true while changes that were taken from pending are applied, and watchers are notified.
	updating bool
	wake     chan struct{}
	watchers map[entity.Kind]func(context.Context, entity.Name)
}

// New returns an empty mirror.
func New() *Mirror {
	return &Mirror{
		catalog: catalog.New(), readers: catalog.NewIndex[entity.Ref](),
		wake: make(chan struct{}, 1), watchers: map[entity.Kind]func(context.Context, entity.Name){},
	}
}

// Apply queues changes. It does not wait.
func (m *Mirror) Apply(changes []catalog.Change) {
	m.arrived.Lock()
	defer m.arrived.Unlock()
	m.pending = append(m.pending, changes...)
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Watch makes Run call notify for each object of a kind whose view would read something else now.
func (m *Mirror) Watch(kind entity.Kind, notify func(context.Context, entity.Name)) {
	m.arrived.Lock()
	defer m.arrived.Unlock()
	m.watchers[kind] = notify
}

// Read calls read with a view of the mesh, which must not be kept. What the view records are the dependencies of the object until its next Read.
func (m *Mirror) Read(object entity.Ref, read func(*catalog.View)) {
	m.reading.RLock()
	defer m.reading.RUnlock()
	view := m.catalog.View()
	read(view)
	m.dependence.Lock()
	defer m.dependence.Unlock()
	m.readers.Set(object, view.Deps())
}

// ReadWith calls read with a view of the mesh in which a policy is stored, and depends on nothing.
func (m *Mirror) ReadWith(policy catalog.Entry, read func(*catalog.View)) {
	m.reading.RLock()
	defer m.reading.RUnlock()
	read(m.catalog.View().With(policy))
}

// Forget drops the dependencies of an object that no longer exists.
func (m *Mirror) Forget(object entity.Ref) {
	m.dependence.Lock()
	defer m.dependence.Unlock()
	m.readers.Remove(object)
}

// Run applies queued changes until ctx ends.
func (m *Mirror) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.wake:
			m.Update(ctx)
		}
	}
}

// Update applies the queued changes, and notifies the watchers of the objects that they affect.
func (m *Mirror) Update(ctx context.Context) {
	defer m.setUpdating(false)
	for _, ref := range m.apply(m.take()) {
		m.arrived.Lock()
		notify := m.watchers[ref.Kind]
		m.arrived.Unlock()
		if notify != nil {
			notify(ctx, ref.Name)
		}
	}
}

// IsIdle reports whether everything that was queued has been applied.
func (m *Mirror) IsIdle() bool {
	m.arrived.Lock()
	defer m.arrived.Unlock()
	return len(m.pending) == 0 && !m.updating
}

func (m *Mirror) setUpdating(updating bool) {
	m.arrived.Lock()
	defer m.arrived.Unlock()
	m.updating = updating
}

func (m *Mirror) take() []catalog.Change {
	m.arrived.Lock()
	defer m.arrived.Unlock()
	m.updating = true
	changes := m.pending
	m.pending = nil
	return changes
}

// apply makes changes and returns the affected objects, sorted. An object without an entry still exists for those that refer to it.
func (m *Mirror) apply(changes []catalog.Change) []entity.Ref {
	for i, change := range changes {
		if change.Entry == nil && change.Exists {
			changes[i].Entry = &catalog.Unread{Object: change.Ref, Problem: change.Problem}
		}
	}
	m.reading.Lock()
	defer m.reading.Unlock()
	affected := m.catalog.Apply(changes)
	m.dependence.Lock()
	defer m.dependence.Unlock()
	return slices.SortedFunc(maps.Keys(m.readers.Affected(affected)), entity.Ref.Compare)
}
