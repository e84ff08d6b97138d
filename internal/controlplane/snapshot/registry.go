package snapshot

import (
	"slices"
	"sync"
)

// registry lists the connected streams for readers on other goroutines.
type registry struct {
	mu      sync.Mutex
	streams map[*Stream]struct{}
	// pods has the streams of each pod, by UID.
	pods map[string][]*Stream
	// waiting has the readers that wait for a stream of a pod, by UID.
	waiting map[string][]*waitingReader
}

func (r *registry) add(s *Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.streams == nil {
		r.streams, r.pods = map[*Stream]struct{}{}, map[string][]*Stream{}
	}
	r.streams[s] = struct{}{}
	r.pods[s.peer.PodUID] = append(r.pods[s.peer.PodUID], s)
	r.resolve(s)
}

func (r *registry) remove(s *Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.streams, s)
	uid := s.peer.PodUID
	if r.pods[uid] = slices.DeleteFunc(r.pods[uid], func(other *Stream) bool { return other == s }); len(r.pods[uid]) == 0 {
		delete(r.pods, uid)
	}
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

// find returns the latest stream of a pod, or nil.
func (r *registry) find(uid string) *Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	streams := r.pods[uid]
	if len(streams) == 0 {
		return nil
	}
	return streams[len(streams)-1]
}
