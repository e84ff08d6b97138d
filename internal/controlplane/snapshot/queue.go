package snapshot

import (
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// work is everything that was queued since the last take.
type work struct {
	batch    status.Batch
	commands []func()
}

// queue hands changes and commands to the Store's goroutine. Of several changes of one object it keeps only the newest, so its
// length is bounded by the number of objects.
type queue struct {
	mu      sync.Mutex
	pending work
	// positions has the position of each object in pending.batch.Changes.
	positions map[entity.Ref]int
	wake      chan struct{}
	closed    bool
}

func newQueue() *queue {
	return &queue{positions: map[entity.Ref]int{}, wake: make(chan struct{}, 1)}
}

// addChanges queues catalog changes.
func (q *queue) addChanges(list []catalog.Change, now time.Time) {
	q.mu.Lock()
	batch := &q.pending.batch
	if len(batch.Changes) == 0 {
		batch.QueuedAt = now
	}
	for _, c := range list {
		if !c.Received.IsZero() {
			batch.Ingest = max(batch.Ingest, now.Sub(c.Received))
		}
		if i, ok := q.positions[c.Ref]; ok {
			batch.Changes[i] = c
			continue
		}
		q.positions[c.Ref] = len(batch.Changes)
		batch.Changes = append(batch.Changes, c)
	}
	q.mu.Unlock()
	q.wakeUp()
}

// addCommand queues a function that runs on the Store's goroutine after the queued changes. It returns false after close.
func (q *queue) addCommand(f func()) bool {
	q.mu.Lock()
	closed := q.closed
	if !closed {
		q.pending.commands = append(q.pending.commands, f)
	}
	q.mu.Unlock()
	q.wakeUp()
	return !closed
}

// take empties the queue.
func (q *queue) take() work {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.pending
	q.pending = work{}
	clear(q.positions)
	return taken
}

// takeChanges removes the changes and leaves the commands.
func (q *queue) takeChanges() status.Batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.pending.batch
	q.pending.batch = status.Batch{}
	clear(q.positions)
	return taken
}

// takeSome removes the changes that are selected, and leaves the others. It ignores the first ones, and returns how many changes are left.
func (q *queue) takeSome(first int, isSelected func(catalog.Change) bool) (taken status.Batch, left int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := &q.pending.batch
	taken = status.Batch{QueuedAt: batch.QueuedAt, Ingest: batch.Ingest}
	first = min(first, len(batch.Changes))
	if !slices.ContainsFunc(batch.Changes[first:], isSelected) {
		return taken, len(batch.Changes)
	}
	var kept []catalog.Change
	clear(q.positions)
	for i, c := range batch.Changes {
		if i >= first && isSelected(c) {
			taken.Changes = append(taken.Changes, c)
			continue
		}
		q.positions[c.Ref] = len(kept)
		kept = append(kept, c)
	}
	batch.Changes = kept
	return taken, len(kept)
}

// changeCount returns the number of queued changes.
func (q *queue) changeCount() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.pending.batch.Changes)
}

// close rejects further commands and empties the queue.
func (q *queue) close() work {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	return q.take()
}

func (q *queue) wakeUp() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
