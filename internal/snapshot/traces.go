package snapshot

import (
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// Trace is what became of one batch of changes.
type Trace struct {
	// Number counts the batches since the start; those that changed nothing are not shown.
	Number uint64
	// At is when the watch brought the first object.
	At time.Time
	// Objects are some of those that changed, at most 8, and Total is how many the batch had, also such as were the same as
	// before.
	Objects []TracedObject
	Total   int
	// Scopes were built again; Resources of them, and endpoints, came out different.
	Scopes, Resources int
	// Streams were told. Each of them is Acknowledged, Rejected, Left (it ended before it answered), Skipped (it has not answered
	// 32 earlier changes), or Open.
	Streams, Acknowledged, Rejected, Left, Skipped, Open int
	// Stages says how long the change was in each stage that it has reached.
	Stages map[Stage]time.Duration
	// Took is the time from At until the last stream had answered; 0 as long as one is Open.
	Took time.Duration
	// Waiting are pods of streams that are Open, sorted, at most 20.
	Waiting []catalog.Name
}

// traces are the latest changes.
type traces struct {
	mu   sync.Mutex
	ring [maxTraces]*trace
	next int
}

func (r *traces) add(t *trace) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring[r.next] = t
	r.next = (r.next + 1) % maxTraces
}

// list is the latest first.
func (r *traces) list() []*trace {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*trace
	for i := range maxTraces {
		if t := r.ring[(r.next-1-i+2*maxTraces)%maxTraces]; t != nil {
			list = append(list, t)
		}
	}
	return list
}

// Traces are the latest changes, the latest first.
func (s *Store) Traces() []Trace {
	list := s.traces.list()
	waiting := map[*trace][]catalog.Name{}
	for _, t := range list {
		if t.took.Load() == 0 {
			waiting[t] = nil
		}
	}
	if len(waiting) > 0 {
		for _, stream := range s.registry.list() {
			stream.waits(waiting)
		}
	}
	result := make([]Trace, 0, len(list))
	for _, t := range list {
		result = append(result, t.show(waiting[t]))
	}
	return result
}

// waits enters the stream where it has not answered.
func (s *Stream) waits(waiting map[*trace][]catalog.Name) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.following {
		if list, open := waiting[f.trace]; open {
			waiting[f.trace] = append(list, s.peer.Pod)
		}
	}
}

func (t *trace) show(waiting []catalog.Name) Trace {
	shown := Trace{
		Number: t.number, At: t.at, Objects: t.objects, Total: t.total, Scopes: t.scopes, Resources: t.resources, Streams: t.streams,
		Rejected: int(t.rejected.Load()), Left: int(t.left.Load()), Skipped: int(t.skipped.Load()),
		Took: time.Duration(t.took.Load()), Stages: map[Stage]time.Duration{},
	}
	if shown.Took == 0 {
		shown.Open = int(max(t.open.Load(), 0))
	}
	shown.Acknowledged = max(t.streams-shown.Rejected-shown.Left-shown.Skipped-shown.Open, 0)
	for stage := range numStages {
		if spent, ok := t.stage(stage); ok {
			shown.Stages[stage] = spent
		}
	}
	slices.SortFunc(waiting, catalog.Name.Compare)
	shown.Waiting = waiting[:min(len(waiting), maxLaggards)]
	return shown
}
