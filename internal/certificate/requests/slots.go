package requests

import "sync"

// slots limits simultaneous requests. Namespaces that wait get a slot in turn, so the requests of one namespace do not delay those of others for
// longer than one request takes. It is safe for concurrent use.
type slots struct {
	mu   sync.Mutex
	free int
	// waiting has the requests of each namespace in their order, and turns the namespaces that have some, the next one first.
	waiting map[string][]chan struct{}
	turns   []string
}

func newSlots(number int) *slots {
	return &slots{free: number, waiting: map[string][]chan struct{}{}}
}

// acquire waits for a slot.
func (s *slots) acquire(namespace string) {
	if granted := s.enqueue(namespace); granted != nil {
		<-granted
	}
}

// enqueue takes a free slot and returns nil. Without one it returns a channel that is closed once a slot is granted.
func (s *slots) enqueue(namespace string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free > 0 {
		s.free--
		return nil
	}
	if len(s.waiting[namespace]) == 0 {
		s.turns = append(s.turns, namespace)
	}
	granted := make(chan struct{})
	s.waiting[namespace] = append(s.waiting[namespace], granted)
	return granted
}

// release passes a slot on to the next namespace that waits.
func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.turns) == 0 {
		s.free++
		return
	}
	next := s.turns[0]
	s.turns = s.turns[1:]
	queue := s.waiting[next]
	close(queue[0])
	if len(queue) == 1 {
		delete(s.waiting, next)
		return
	}
	s.waiting[next] = queue[1:]
	s.turns = append(s.turns, next)
}
