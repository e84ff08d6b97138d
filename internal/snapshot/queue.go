package snapshot

import (
	"sync"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// batch is everything that was queued since the last one.
type batch struct {
	changes  []catalog.Change
	commands []func()
}

// queue hands batches to the Store's goroutine. Its length is bounded by the number of objects: of several changes of one
// object only the newest is kept.
type queue struct {
	mu      sync.Mutex
	pending batch
	latest  map[catalog.Ref]int
	wake    chan struct{}
	closed  bool
}

func newQueue() *queue {
	return &queue{latest: map[catalog.Ref]int{}, wake: make(chan struct{}, 1)}
}

// change queues catalog changes.
func (q *queue) change(list []catalog.Change) {
	q.mu.Lock()
	for _, c := range list {
		if i, ok := q.latest[c.Ref]; ok {
			q.pending.changes[i] = c
			continue
		}
		q.latest[c.Ref] = len(q.pending.changes)
		q.pending.changes = append(q.pending.changes, c)
	}
	q.mu.Unlock()
	q.notify()
}

// command queues something to be run by the Store's goroutine after the changes of the same batch. It says whether that will
// happen: not after close.
func (q *queue) command(f func()) bool {
	q.mu.Lock()
	closed := q.closed
	if !closed {
		q.pending.commands = append(q.pending.commands, f)
	}
	q.mu.Unlock()
	q.notify()
	return !closed
}

// take empties the queue.
func (q *queue) take() batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.pending
	q.pending = batch{}
	clear(q.latest)
	return taken
}

// takeChanges takes the changes alone.
func (q *queue) takeChanges() []catalog.Change {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.pending.changes
	q.pending.changes = nil
	clear(q.latest)
	return taken
}

// close refuses further commands and returns what is left.
func (q *queue) close() batch {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	return q.take()
}

func (q *queue) notify() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
