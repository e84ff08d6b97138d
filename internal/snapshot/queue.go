package snapshot

import (
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// batch is everything that was queued since the last one.
type batch struct {
	changes  arrivals
	commands []func()
}

// arrivals are changes that came together.
type arrivals struct {
	list []catalog.Change
	// since is when the first of them was queued, and ingest the longest time that the making of one of them had taken by then.
	since  time.Time
	ingest time.Duration
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
func (q *queue) change(list []catalog.Change, now time.Time) {
	q.mu.Lock()
	changes := &q.pending.changes
	if len(changes.list) == 0 {
		changes.since = now
	}
	for _, c := range list {
		if !c.Received.IsZero() {
			changes.ingest = max(changes.ingest, now.Sub(c.Received))
		}
		if i, ok := q.latest[c.Ref]; ok {
			changes.list[i] = c
			continue
		}
		q.latest[c.Ref] = len(changes.list)
		changes.list = append(changes.list, c)
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
func (q *queue) takeChanges() arrivals {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.pending.changes
	q.pending.changes = arrivals{}
	clear(q.latest)
	return taken
}

// length is the number of changes that wait.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.pending.changes.list)
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
