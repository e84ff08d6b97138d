package snapshot

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// ErrNotConnected says that no sidecar of that pod is connected.
var ErrNotConnected = errors.New("no sidecar of this pod is connected to this replica of the control plane")

// Entries are the entries of some kinds as the Store has them, sorted. The error is ErrStopped or ctx's.
func (s *Store) Entries(ctx context.Context, kinds ...catalog.Kind) ([]catalog.Entry, error) {
	result := make(chan []catalog.Entry, 1)
	if !s.post(func() { result <- s.catalog.Entries(kinds...) }) {
		return nil, ErrStopped
	}
	select {
	case list := <-result:
		return list, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Offer is a resource that a sidecar should have.
type Offer struct {
	Type    Type
	Name    string
	Version string
	// Resource is nil for secrets, which hold private keys.
	Resource *anypb.Any
}

// Offers are all resources that the sidecar of a pod should have, by the pod's UID, sorted by type and name. The error is
// ErrNotConnected, or says which resource does not decode.
func (s *Store) Offers(uid string) ([]Offer, error) {
	stream := s.registry.find(uid)
	if stream == nil {
		return nil, ErrNotConnected
	}
	var offers []Offer
	for _, c := range stream.offered() {
		offer := Offer{Type: c.kind, Name: c.name, Version: Resource{content: c, version: c.hash}.Version()}
		if c.kind != Secrets {
			message, err := (&Response{Type: c.kind, Resources: []Resource{{content: c, version: c.hash}}}).Proto()
			if err != nil {
				return nil, err
			}
			offer.Resource = message.GetResources()[0].GetResource()
		}
		offers = append(offers, offer)
	}
	slices.SortFunc(offers, func(a, b Offer) int { return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name)) })
	return offers, nil
}

// find is a stream of the pod with that UID, or nil.
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

// offered are the contents of the stream's scope.
func (s *Stream) offered() []*content {
	s.mu.Lock()
	n := s.scope
	s.mu.Unlock()
	n.mu.RLock()
	defer n.mu.RUnlock()
	var all []*content
	for t := range numTypes {
		for _, c := range n.contents[t] {
			all = append(all, c)
		}
	}
	for _, e := range n.endpoints {
		if c := e.current.Load(); c != nil {
			all = append(all, c)
		}
	}
	if c := n.identity.current.Load(); c != nil {
		all = append(all, c)
	}
	return all
}
