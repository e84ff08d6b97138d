package snapshot

import "sync"

// registry lists the connected streams for readers on other goroutines.
type registry struct {
	mu      sync.Mutex
	streams map[*Stream]struct{}
	// streamsPerPod counts the streams of each pod, by UID.
	streamsPerPod map[string]int
}

func (r *registry) add(s *Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.streams == nil {
		r.streams, r.streamsPerPod = map[*Stream]struct{}{}, map[string]int{}
	}
	r.streams[s] = struct{}{}
	r.streamsPerPod[s.peer.PodUID]++
}

func (r *registry) remove(s *Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.streams, s)
	if r.streamsPerPod[s.peer.PodUID]--; r.streamsPerPod[s.peer.PodUID] <= 0 {
		delete(r.streamsPerPod, s.peer.PodUID)
	}
}

func (r *registry) hasPod(uid string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.streamsPerPod[uid] > 0
}

func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.streams)
}

func (r *registry) list() []*Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*Stream, 0, len(r.streams))
	for s := range r.streams {
		list = append(list, s)
	}
	return list
}

// find returns a stream of a pod, or nil.
func (r *registry) find(uid string) *Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.streams {
		if s.peer.PodUID == uid {
			return s
		}
	}
	return nil
}
