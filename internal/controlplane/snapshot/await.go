package snapshot

import (
	"context"
	"errors"
	"slices"
)

// waitingReader waits for the stream of a peer.
type waitingReader struct {
	peer   Peer
	stream chan *Stream
}

// AwaitStream waits until a pod has a stream from the address of the peer, and returns the latest one. The peer was
// authenticated with another token of the pod, or the same. The error is ErrNotConnected at the deadline of ctx, or that of ctx.
func (s *Store) AwaitStream(ctx context.Context, peer Peer) (*Stream, error) {
	reader := s.registry.wait(peer)
	defer s.registry.stopWaiting(reader)
	select {
	case stream := <-reader.stream:
		return stream, nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, ErrNotConnected
		}
		return nil, ctx.Err()
	}
}

// isSameClient reports whether two peers are the same pod at the same address.
func (p Peer) isSameClient(other Peer) bool {
	return p.PodUID == other.PodUID && p.ServiceAccount == other.ServiceAccount && p.Address == other.Address
}

// wait adds a reader, which receives a stream that exists already.
func (r *registry) wait(peer Peer) *waitingReader {
	r.mu.Lock()
	defer r.mu.Unlock()
	reader := &waitingReader{peer: peer, stream: make(chan *Stream, 1)}
	for _, stream := range slices.Backward(r.pods[peer.PodUID]) {
		if stream.peer.isSameClient(peer) {
			reader.stream <- stream
			return reader
		}
	}
	if r.waiting == nil {
		r.waiting = map[string][]*waitingReader{}
	}
	r.waiting[peer.PodUID] = append(r.waiting[peer.PodUID], reader)
	return reader
}

func (r *registry) stopWaiting(reader *waitingReader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	uid := reader.peer.PodUID
	left := slices.DeleteFunc(r.waiting[uid], func(other *waitingReader) bool { return other == reader })
	if len(left) == 0 {
		delete(r.waiting, uid)
	} else {
		r.waiting[uid] = left
	}
}

// resolve passes a new stream to the readers that wait for it. The caller holds mu.
func (r *registry) resolve(stream *Stream) {
	uid := stream.peer.PodUID
	left := slices.DeleteFunc(r.waiting[uid], func(reader *waitingReader) bool {
		if !stream.peer.isSameClient(reader.peer) {
			return false
		}
		reader.stream <- stream
		return true
	})
	if len(left) == 0 {
		delete(r.waiting, uid)
	} else {
		r.waiting[uid] = left
	}
}
