package snapshot

import "time"

// followed is a change that a stream was told of and has not answered. Times count from the beginning of the trace.
type followed struct {
	trace *trace
	// told and last are when the stream was first and last told of the change, and sent when it last wrote a response since;
	// 0 before.
	told, last, sent time.Duration
	// taken is true once the state machine knows of it, so that responses may be about it.
	taken, rejected bool
}

// follow notes that the stream was told of a change. The caller holds mu and is the Store's goroutine.
func (s *Stream) follow(t *trace, now time.Time) {
	if t == nil {
		return
	}
	if s.told != t.number {
		s.told = t.number
		t.streams++
	}
	at := max(now.Sub(t.at), 1)
	if n := len(s.following); n > 0 && s.following[n-1].trace == t {
		f := &s.following[n-1]
		f.last, f.sent, f.taken = at, 0, false
		return
	}
	if len(s.following) >= maxFollowed {
		t.skipped.Add(1)
		return
	}
	t.open.Add(1)
	s.following = append(s.following, followed{trace: t, told: at, last: at})
}

// took notes that the state machine knows of all changes so far. The caller holds mu.
func (s *Stream) took() {
	for i := range s.following {
		s.following[i].taken = true
	}
}

// wrote notes that a response was written.
func (s *Stream) wrote() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.following) == 0 {
		return
	}
	now := s.store.config.Now()
	for i := range s.following {
		if f := &s.following[i]; f.taken && f.sent == 0 {
			f.sent = max(now.Sub(f.trace.at), 1)
			lengthen(&f.trace.push, f.sent-f.told)
		}
	}
}

// refused notes that the sidecar has rejected something of what it was sent.
func (s *Stream) refused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.following {
		f := &s.following[i]
		f.rejected = f.rejected || f.sent != 0
	}
}

// answered closes the traces of all changes that the sidecar has answered. The caller holds mu.
func (s *Stream) answered() {
	if len(s.following) == 0 {
		return
	}
	now := s.store.config.Now()
	open := s.following[:0]
	for _, f := range s.following {
		if !f.taken || (!s.behind.IsZero() && !s.behind.After(f.trace.at.Add(f.last))) {
			open = append(open, f)
			continue
		}
		if f.sent != 0 {
			lengthen(&f.trace.acknowledge, now.Sub(f.trace.at)-f.sent)
		}
		if f.rejected {
			f.trace.rejected.Add(1)
		}
		f.trace.close(now, s.store.metrics)
	}
	clear(s.following[len(open):])
	s.following = open
}

// abandon closes the traces of a stream that has ended.
func (s *Stream) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.store.config.Now()
	for _, f := range s.following {
		f.trace.left.Add(1)
		f.trace.close(now, s.store.metrics)
	}
	s.following = nil
}
