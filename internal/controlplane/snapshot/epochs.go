package snapshot

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// A pod may have two Envoys: while one takes over from the other, each has a stream of its own. Envoys of a pod differ by their epoch, which is the number of
// handovers before. It is what the client claims, so it decides about streams of the same pod only: the limit counts the latest streams, whatever their
// epochs are, and an Envoy that is pushed out by an invented epoch is back when it connects again.

// maxEpochs is how many Envoys of a pod are served at a time.
const maxEpochs = 2

// SetSoftware records what the proxy reports about itself. The first call announces its epoch: streams of the pod with the same epoch end, and all but
// the latest of the others.
func (s *Stream) SetSoftware(software status.Software) {
	s.delta.Acknowledgements().SetSoftware(software)
	if !s.reported {
		s.reported = true
		if software.Epoch > 0 || software.Slot != "" {
			s.delta.AwaitHandover()
		}
		s.store.run(func() { s.store.announce(s, software.Epoch) })
	}
}

// announce records the epoch of a stream and ends the streams that it replaces.
func (s *Store) announce(stream *Stream, epoch uint64) {
	if !s.isConnected(stream) {
		return
	}
	stream.epoch, stream.announced = epoch, true
	var others []*Stream
	for _, other := range slices.Clone(s.streams[stream.peer.InstanceID]) {
		switch {
		case other == stream || !other.announced:
		case other.epoch == epoch:
			s.end(other, ErrSuperseded)
		default:
			others = append(others, other)
		}
	}
	for _, other := range others[:max(0, len(others)-maxEpochs+1)] {
		s.end(other, ErrSuperseded)
	}
	s.registry.announce(stream)
	stream.delta.SetHandover(stream.handover)
	s.updateHandovers(stream.peer.InstanceID)
}

// updateHandovers updates what the streams of a pod know about the successors of their Envoys.
func (s *Store) updateHandovers(id entity.InstanceID) {
	streams := s.streams[id]
	for _, stream := range streams {
		if !stream.announced {
			continue
		}
		handover := handoverFrom(stream, streams)
		if s.elsewhere[id] > stream.epoch {
			handover = delta.Handover{Started: true, Complete: true, Earlier: true}
		}
		if handover != stream.handover {
			stream.handover = handover
			stream.delta.SetHandover(handover)
		}
	}
}

// SetEpochsElsewhere records the highest epochs of the Envoys that have had their whole configuration from other replicas, by instance. The map must
// not change afterwards.
func (s *Store) SetEpochsElsewhere(epochs map[entity.InstanceID]uint64) {
	s.run(func() {
		before := s.elsewhere
		s.elsewhere = epochs
		for id := range s.streams {
			if before[id] != epochs[id] {
				s.updateHandovers(id)
			}
		}
	})
}

// CompleteEpochs returns the argument of SetEpochsElsewhere for other replicas.
func (s *Store) CompleteEpochs() map[entity.InstanceID]uint64 {
	epochs := map[entity.InstanceID]uint64{}
	for _, stream := range s.registry.list() {
		if epoch, complete := stream.delta.Acknowledgements().CompleteEpoch(); complete && epoch > report.FirstEpoch {
			epochs[stream.peer.InstanceID] = max(epochs[stream.peer.InstanceID], epoch)
		}
	}
	return epochs
}

// handoverFrom returns what is known about the Envoy of a pod that takes over from that of a stream.
func handoverFrom(stream *Stream, streams []*Stream) (handover delta.Handover) {
	for _, other := range streams {
		if !other.announced || other.epoch <= stream.epoch {
			continue
		}
		handover.Started = true
		if other.delta.Acknowledgements().IsComplete() {
			handover.Complete = true
			handover.Earlier = handover.Earlier || other.completeEarlier
		}
	}
	return handover
}

// endUnannounced ends the streams of a pod that have no epoch yet, when a newer one is bound.
func (s *Store) endUnannounced(newer *Stream) {
	for _, other := range slices.Clone(s.streams[newer.peer.InstanceID]) {
		if other != newer && !other.announced {
			s.end(other, ErrSuperseded)
		}
	}
}

// isConnected reports whether a stream has not ended.
func (s *Store) isConnected(stream *Stream) bool {
	return slices.Contains(s.streams[stream.peer.InstanceID], stream)
}

// removeFromPod removes a stream from those of its pod, and returns whether there are others.
func (s *Store) removeFromPod(stream *Stream) bool {
	id := stream.peer.InstanceID
	removeFrom(s.streams, id, func(other *Stream) bool { return other == stream })
	return len(s.streams[id]) > 0
}

// maxTakenOver is how many destinations an Envoy gets from the one that it takes over from, at most. All are what the application of the pod has called, or
// what a pod of its identity used when the pod started.
const maxTakenOver = 1024

// loadUsedByPod sends to a new Envoy the destinations that an earlier one of its pod uses: those that exist, and of many the first by name. The new Envoy asks
// for the others at its first connections.
func (s *Store) loadUsedByPod(stream *Stream) {
	n := stream.scope.Load()
	for _, other := range s.streams[stream.peer.InstanceID] {
		used := slices.DeleteFunc(other.delta.Destinations(), func(name string) bool { return !n.HasEndpoints(name) })
		slices.Sort(used)
		stream.delta.Load(used[:min(len(used), maxTakenOver)])
	}
}

// isServing reports whether a stream is that of the Envoy that serves the connections of its pod: the one with the highest epoch of those that have had
// their whole configuration, or else the one with the lowest epoch.
func (s *Store) isServing(stream *Stream) bool {
	streams := s.streams[stream.peer.InstanceID]
	if len(streams) <= 1 {
		return true
	}
	return stream == slices.MaxFunc(streams, compareServing)
}

// compareServing compares two streams of a pod by how likely their Envoys are to serve.
func compareServing(a, b *Stream) int {
	switch {
	case a.announced && !b.announced:
		return 1
	case !a.announced && b.announced:
		return -1
	}
	return report.CompareServing(a.delta.Acknowledgements().IsComplete(), a.epoch, b.delta.Acknowledgements().IsComplete(), b.epoch)
}
